package kinds

import (
	"encoding/json"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// document makes the object of a body that this package puts together itself,
// since no server sends one that another server takes.
func document(ref object.Ref, body any) (Object, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return Object{}, fmt.Errorf("read %s: %w", ref, err)
	}
	digest, err := plan.Digest(raw)
	return Object{Ref: ref, Raw: raw, Digest: digest}, err
}

// undocument reads what [document] put together.
func undocument(o Object, body any) error {
	if err := json.Unmarshal(o.Raw, body); err != nil {
		return fmt.Errorf("write %s: %w: its body was not made here", o.Ref, chef.ErrInvalid)
	}
	return nil
}
