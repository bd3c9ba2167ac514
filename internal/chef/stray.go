package chef

import (
	"bytes"
	"io"
	"log"
	"sync"
)

// stray is how net/http tells the standard logger of bytes that came without having
// been asked for, and then quotes them: the rest of an object, where a proxy states a
// length that is too short.
var stray = []byte("Unsolicited response received on idle HTTP channel")

// hideStray keeps such bytes out of the process's standard logger.
var hideStray = sync.OnceFunc(func() { log.SetOutput(&strayFilter{to: log.Writer()}) })

// A strayFilter is the output of a logger, a message a Write.
type strayFilter struct{ to io.Writer }

// Write passes the message on, without the stray bytes.
func (f *strayFilter) Write(message []byte) (int, error) {
	out := message
	if at := bytes.Index(message, stray); at >= 0 {
		out = append(bytes.Clone(message[:at+len(stray)]), " (not shown)\n"...)
	}
	if _, err := f.to.Write(out); err != nil {
		return 0, err
	}
	return len(message), nil
}
