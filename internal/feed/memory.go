package feed

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
)

// memory is what a [Listing] knows from one call to the next. A process that
// starts without it reads all contents once, and nothing is missed.
type memory struct {
	mu    sync.Mutex
	deep  time.Time // when contents were last read
	owing string    // the position from which they were last read and had changed

	list    snapshot // that was decoded last; not to be changed
	listID  string
	listSum [sha256.Size]byte // of the stored form

	told   []object.Ref // read again at the next call, if that is
	toldAt string       // from this list
}

// deepDue reports whether contents are to be read at a position. A process that
// does not know when they last were reads them, and so does one that is asked
// again from where it found changed contents: that answer did not arrive.
func (m *memory) deepDue(now time.Time, position string, interval time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if interval <= 0 {
		interval = DefaultDeepInterval
	}
	return position == m.owing || m.deep.IsZero() || now.Sub(m.deep) >= interval || now.Before(m.deep)
}

// markDeep notes that contents count as read; the zero time that they do not.
func (m *memory) markDeep(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deep, m.owing = at, ""
}

// looked notes what a look from one cursor to the next has read.
func (m *memory) looked(at time.Time, deep, again bool, from, to object.Cursor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if deep {
		m.deep, m.owing = at, ""
	}
	switch {
	case from == to: // what was told is as it was told
		m.told, m.toldAt = nil, ""
	case deep || again:
		m.owing = from.Position
	}
}

// tell notes what the pair will have read when it asks from the list id.
func (m *memory) tell(id string, changes []object.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told, m.toldAt = nil, id
	for _, c := range changes {
		if c.Action != object.ActionDelete {
			m.told = append(m.told, c.Ref)
		}
	}
}

// toldBefore returns what the pair was told on its way to the list id.
func (m *memory) toldBefore(id string) map[object.Ref]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id != m.toldAt {
		return nil
	}
	out := make(map[object.Ref]bool, len(m.told))
	for _, ref := range m.told {
		out[ref] = true
	}
	return out
}

// decoded is [decodeSnapshot], which takes as long as the list is, remembering the
// last list: while nothing changes it is the same at every call.
func (m *memory) decoded(id string, data []byte) (snapshot, error) {
	sum := sha256.Sum256(data)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list != nil && m.listID == id && m.listSum == sum {
		return m.list, nil
	}
	s, err := decodeSnapshot(data, id)
	if err == nil {
		m.list, m.listID, m.listSum = s, id, sum
	}
	return s, err
}
