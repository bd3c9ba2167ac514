package doctor_test

import (
	"net"
	"slices"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/doctor"
)

func TestTraces(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	h.only = []string{"traces"}
	h.examine().want(t, "traces", doctor.Host, doctor.Skipped, "does not apply: traces_endpoint is not set", "")
	h.only = nil
	if got := h.examine(); slices.ContainsFunc(got, func(r doctor.Result) bool { return r.Check == "traces" }) {
		t.Errorf("without traces_endpoint, and not asked for: %+v", got)
	}
	h.only = []string{"traces"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	setting := "traces_endpoint 'http://" + l.Addr().String() + "'"
	h.examine(setting).want(t, "traces", doctor.Host, doctor.OK, "listens at "+l.Addr().String(), "")
	l.Close()
	h.examine(setting).want(t, "traces", doctor.Host, doctor.Warning, "nobody listens at "+l.Addr().String(), "traces_endpoint")
}
