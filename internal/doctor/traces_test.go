package doctor_test

import (
	"net"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/doctor"
)

func TestTraces(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.only = []string{"traces"}
	if got := h.examine(); len(got) != 0 {
		t.Errorf("without traces_endpoint: %+v", got)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	setting := "traces_endpoint 'http://" + l.Addr().String() + "'"
	h.examine(setting).want(t, "traces", doctor.Host, doctor.OK, "listens at "+l.Addr().String(), "")
	l.Close()
	h.examine(setting).want(t, "traces", doctor.Host, doctor.Warning, "nobody listens at "+l.Addr().String(), "traces_endpoint")
}
