package replicate

import (
	"github.com/chef-sync/chef-sync/internal/object"
)

// Meter counts what an [Engine] does, of each attempt: what an attempt did before
// it broke off counts, and what the next one finds done does not. Its methods are
// called from several goroutines.
type Meter interface {
	// Object says what became of an object: created, updated, deleted, equal or
	// failed.
	Object(k object.Kind, action string)

	// File says that a cookbook file was downloaded or uploaded.
	File(k object.Kind, direction string, bytes int64)
}

// The words of [Meter].
const (
	didCreate = "created"
	didUpdate = "updated"
	didDelete = "deleted"
	didEqual  = "equal"
	didFail   = "failed"

	didDownload = "downloaded"
	didUpload   = "uploaded"
)

// anyKind is the kind of an uploaded file: one upload serves all that need it.
const anyKind = object.Kind("any")

// did counts an object.
func (e *Engine) did(ref object.Ref, action string) {
	if e.Meter != nil {
		e.Meter.Object(ref.Kind, action)
	}
}

// failed counts objects that failed.
func (e *Engine) failed(all []Failure) {
	for _, f := range all {
		e.did(f.Ref, didFail)
	}
}

// moved counts a file.
func (e *Engine) moved(k object.Kind, direction string, bytes int64) {
	if e.Meter != nil {
		e.Meter.File(k, direction, bytes)
	}
}

// wrote counts an object by the counter that it adds to.
func (e *Engine) wrote(ref object.Ref, how outcome) {
	var one Applied
	*how(&one)++
	switch {
	case one.Created > 0:
		e.did(ref, didCreate)
	case one.Updated > 0:
		e.did(ref, didUpdate)
	default:
		e.did(ref, didEqual)
	}
}
