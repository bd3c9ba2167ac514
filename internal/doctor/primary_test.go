package doctor_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/doctor"
	"github.com/chef-sync/chef-sync/tests/certs"
)

// TestFeedServer: what it says of itself, and whose certificate it shows.
func TestFeedServer(t *testing.T) {
	mine, other := newCertificate(t, time.Hour), newCertificate(t, time.Hour)
	const works = `{"status":"pong","writes":true,"lag_seconds":0.25,"problems":[]}`
	for name, c := range map[string]struct {
		shown, set   *certs.Certificate
		answer       string
		state        doctor.State
		words, fixes string
	}{
		"works":          {nil, nil, works, doctor.OK, "answers at http://127.0.0.1:", ""},
		"beside another": {nil, nil, `{"status":"pong"}`, doctor.OK, "another one writes the log", ""},
		"problems":       {nil, nil, `{"status":"pong","problems":["a table is missing"]}`, doctor.Warning, "a table is missing", "reconfigure"},
		"fails":          {nil, nil, `{"status":"fail","problems":["no database"]}`, doctor.Failed, "no database", "chef-sync-ctl reconfigure    # and then systemctl restart ec-syncd"},
		"something else": {nil, nil, `<html>`, doctor.Failed, "something else than a feed server", "ss -ltnp"},
		"TLS":            {&mine, &mine, works, doctor.OK, "answers at https://127.0.0.1:", ""},
		"other key":      {&other, &mine, works, doctor.Warning, "another certificate than " + mine.File, "systemctl restart ec-syncd"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/_status" {
					t.Errorf("asked for %s", r.URL)
				}
				_, _ = w.Write([]byte(c.answer))
			}))
			if c.shown == nil {
				s.Start()
			} else {
				s.TLS = &tls.Config{Certificates: []tls.Certificate{c.shown.Certificate}, MinVersion: tls.VersionTLS12}
				s.StartTLS()
			}
			defer s.Close()
			u, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("role :master\nec_sync_server['port'] = %s\n", u.Port())
			if c.set != nil {
				text += fmt.Sprintf("ec_sync_server['tls_cert'] = '%s'\nec_sync_server['tls_key'] = '%s'\n", c.set.File, c.set.KeyFile)
			}
			h := &host{t: t, dir: t.TempDir(), only: []string{"feedserver", "nginx"}}
			got := h.run(text)
			got.want(t, "feedserver", doctor.Host, c.state, c.words, c.fixes)
			got.want(t, "nginx", doctor.Host, doctor.Warning, "there is no directory", "nginx_addon_dir")
		})
	}
}
