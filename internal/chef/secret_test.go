package chef

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// signed matches a line of a signature.
var signed = regexp.MustCompile(`[A-Za-z0-9+/]{60}`)

// hunter is planted wherever a secret may be, and searched in what may be seen.
const hunter = "hunter2"

// echoes answers with everything it was sent, in the worst places.
func echoes(status int, form string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		quoted, _ := json.Marshal(string(body) + " " + r.Header.Get("X-Ops-Authorization-1"))
		switch form {
		case "json":
			says(status, `{"error":[`+string(quoted)+`]}`)(w, r)
		case "text":
			says(status, "bad: "+string(body))(w, r)
		case "object":
			says(status, string(body))(w, r)
		case "cut":
			says(status, string(body[:len(body)/2]))(w, r)
		case "html":
			says(status, "<html><title>"+string(body)+"</title></html>")(w, r)
		case "xml":
			says(status, "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>"+hunter+"</StringToSign></Error>")(w, r)
		}
	}
}

func TestNoSecretIsSeen(t *testing.T) {
	item := json.RawMessage(`{"id":"alice","password":"` + hunter + `","quoted":"\"` + hunter + `\"","deep":{"list":["my ` + hunter + ` & \u00e9",{"k":"` + hunter + `x"}]}}`)
	var log bytes.Buffer
	options := func(o *Options) {
		o.Header = http.Header{"X-Api-Token": {hunter}}
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Retries = 1
	}
	m := manifest(t, strings.ReplaceAll(manifestV2, "<a&b>", hunter))
	for _, form := range []string{"json", "text", "object", "cut", "html", "xml"} {
		for _, status := range []int{200, 302, 400, 401, 403, 404, 406, 409, 410, 413, 500, 503} {
			c := testClient(t, echoes(status, form), options)
			ctx := t.Context()
			fileURL := c.URL() + "/f?X-Amz-Signature=" + hunter
			var errs []error
			collect := func(_ any, err error) { errs = append(errs, err) }
			collect(nil, c.CreateDataBagItem(ctx, "users", "alice", item))
			collect(nil, c.UpdateDataBagItem(ctx, "users", "alice", item))
			collect(nil, c.CreateRole(ctx, item))
			collect(nil, c.PutCookbook(ctx, m, PutCookbookOptions{}))
			collect(nil, c.UploadFile(ctx, fileURL, sumOf([]byte(hunter)), int64(len(hunter)), opener([]byte(hunter))))
			collect(c.DownloadFile(ctx, fileURL, md5a, io.Discard))
			collect(c.DownloadFile(ctx, "https://elsewhere/f?s="+hunter, md5a, io.Discard))
			collect(c.GetCookbook(ctx, "nginx", "1.0"))
			collect(c.Do(ctx, "PUT", "/roles/a", nil, json.RawMessage(`{"a":"`+hunter+`"`)))
			for _, err := range errs {
				for e := err; e != nil; e = errors.Unwrap(e) {
					text := fmt.Sprintf("%v %+v %s", e, e, Hint(e))
					if strings.Contains(text, hunter) || signed.MatchString(text) {
						t.Errorf("status %d as %s: a secret is seen in %s", status, form, text)
					}
				}
			}
		}
	}
	if strings.Contains(log.String(), hunter) || signed.MatchString(log.String()) {
		t.Errorf("a secret was logged:\n%s", log.String())
	}
	if log.Len() == 0 {
		t.Error("nothing was logged, so nothing was tested")
	}
}
