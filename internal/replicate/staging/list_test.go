package staging

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/object"
)

func TestList(t *testing.T) {
	s, err := Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, size := range []int{0, 1, listPart - 1, listPart, listPart + 1, 3*listPart + 7} {
		var list []object.Change
		for i := range size {
			list = append(list, object.Change{Action: object.ActionUpdate, Ref: object.MustRef(fmt.Sprintf("/roles/r%d", i))})
		}
		id := fmt.Sprint("list", size)
		if err := s.PutList(t.Context(), "o", id, list); err != nil {
			t.Fatal(err)
		}
		for _, page := range []int{1, 7, listPart, 2*listPart + 1, 10 * listPart} {
			var got []object.Change
			if page == 1 && size > listPart+1 {
				continue
			}
			for from := 0; from < size; from += page {
				p, err := s.ListPage(t.Context(), "o", id, from, min(from+page, size))
				if err != nil {
					t.Fatalf("%d changes, %d from %d: %v", size, page, from, err)
				}
				got = append(got, p...)
			}
			if diff := cmp.Diff(list, got); diff != "" {
				t.Errorf("%d changes in pages of %d (-want +got):\n%s", size, page, diff)
			}
		}
		if _, err := s.ListPage(t.Context(), "o", id, 0, size+1); !errors.Is(err, ErrNotFound) {
			t.Errorf("more than a list of %d has: %v, want ErrNotFound", size, err)
		}
	}
	if err := s.PutSnapshot(t.Context(), "o", "bad.0", []byte("[{")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"bad", "other"} {
		if _, err := s.ListPage(t.Context(), "o", id, 0, 1); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", id, err)
		}
	}
	if err := s.KeepSnapshots(t.Context(), "o"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ListPage(t.Context(), "o", "list1", 0, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("after it was removed: %v, want ErrNotFound", err)
	}
}
