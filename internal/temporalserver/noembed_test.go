//go:build noembed

package temporalserver

import (
	"errors"
	"testing"
)

func TestStartWithoutServer(t *testing.T) {
	if Embedded() {
		t.Error("Embedded() = true in a binary built with noembed")
	}
	if _, err := Start(t.Context(), Options{}); !errors.Is(err, ErrNotEmbedded) {
		t.Errorf("Start: got error %v, want ErrNotEmbedded", err)
	}
}
