package chef

import (
	"errors"
	"net/http"
	"testing"
)

// TestInvitationsWhoseAnswerIsLost: what was done at the first try is no failure of the
// second.
func TestInvitationsWhoseAnswerIsLost(t *testing.T) {
	taken, gone := says(409, `{"error":["The invite already exists."]}`), says(404, `{"error":["Cannot find association request"]}`)
	list := func(user string) http.HandlerFunc { return says(200, `[{"id":"i1","username":"`+user+`"}]`) }
	for _, tt := range []struct {
		name   string
		server http.HandlerFunc
		id     string
		check  func(error) bool
	}{
		{"at once", says(201, `{"uri":"https://chef/association_requests/i1"}`), "i1", func(err error) bool { return err == nil }},
		{"lost", inTurn(breaksOff, taken, list("u")), "i1", func(err error) bool { return err == nil }},
		{"lost, and another's", inTurn(breaksOff, taken, list("other")), "", IsConflict},
		{"lost, and no list", inTurn(breaksOff, taken, says(403, `{"error":["no"]}`)), "", func(err error) bool { return Classify(err) == ClassObject }},
		{"was there", inTurn(taken, list("u")), "", IsConflict},
	} {
		got, err := testClient(t, tt.server).Invite(t.Context(), "u")
		if !tt.check(err) || got.ID != tt.id || err == nil && (got.User != "u" || got.Organization != "acme") {
			t.Errorf("%s: got %+v, %v", tt.name, got, err)
		}
	}
	if err := testClient(t, inTurn(breaksOff, gone)).AcceptInvitation(t.Context(), "i1"); err != nil {
		t.Errorf("accepted and lost: %v", err)
	}
	if err := testClient(t, gone).AcceptInvitation(t.Context(), "i1"); !IsNotFound(err) {
		t.Errorf("no such invitation: %v", err)
	}
	var e *APIError
	if err := testClient(t, inTurn(breaksOff, says(403, `{"error":["no"]}`))).AcceptInvitation(t.Context(), "i1"); !errors.As(err, &e) || e.Status != 403 {
		t.Errorf("lost and refused: %v", err)
	}
}
