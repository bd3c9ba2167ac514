package chef

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// A fileConn is a connection to a file store that knows which transfer has it.
// net/http gives a connection to the next one as soon as an answer without a body
// is there, so that whoever wants to end it has to see first whether it is still
// its own.
type fileConn struct {
	net.Conn

	mu   sync.Mutex
	user *transfer
}

// dialsFileConns returns dial with its connections wrapped.
func dialsFileConns(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &fileConn{Conn: conn}, nil
	}
}

// take notes that t is about to use a connection of the transport, before it
// sends anything.
func take(conn net.Conn, t *transfer) {
	for {
		switch c := conn.(type) {
		case *fileConn:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.user, t.conn = t, c
			return
		case *tls.Conn: // two of them by way of a proxy that speaks TLS
			conn = c.NetConn()
		default:
			return
		}
	}
}

// endFor closes the connection, unless another transfer than t has it by now.
func (c *fileConn) endFor(t *transfer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user == t {
		_ = c.Close() // it is to be gone, one way or the other
	}
}
