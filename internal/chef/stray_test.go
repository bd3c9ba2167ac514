package chef

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines collects what is written to it.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestStrayBytesAreNotLogged: what follows an answer whose length is stated too short
// may be a secret of an object, and net/http would print it.
func TestStrayBytesAreNotLogged(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}, \"password\": \"hunter2\"}")
			}
		}
	}()
	c := clientOf(t, "http://"+listener.Addr().String(), noRetries)
	installed, ok := log.Writer().(*strayFilter)
	if !ok {
		t.Fatalf("the standard logger writes to a %T", log.Writer())
	}
	defer log.SetOutput(installed)
	var got lines
	log.SetOutput(&strayFilter{to: &got})
	log.Print("something else")
	if _, err := c.ListRoles(t.Context()); err != nil {
		t.Fatal(err)
	}
	for late := time.After(time.Minute); strings.Count(got.String(), "\n") < 2; {
		select {
		case <-late:
			t.Fatalf("logged: %q", got.String())
		case <-time.After(time.Millisecond):
		}
	}
	if text := got.String(); !strings.Contains(text, " something else\n") || !strings.HasSuffix(text, string(stray)+" (not shown)\n") {
		t.Errorf("logged: %q", text)
	}
}
