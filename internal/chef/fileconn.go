package chef

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// A fileConn is a connection to a file store that counts its uses. net/http gives
// a connection to the next transfer as soon as an answer without a body is there, so
// that whoever wants to end it has to see first whether it is still its own.
//
// Between being given to a transfer and being used by it, it may still be ended: then
// nothing is sent over it, and net/http takes another one. For that the body of an
// upload has to be there a second time (GetBody).
type fileConn struct {
	net.Conn

	mu   sync.Mutex
	uses int
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

// take counts another use of a connection of the transport, before anything is sent.
// It returns nil for a connection that cannot be ended.
func take(conn net.Conn) (c *fileConn, use int) {
	for {
		switch of := conn.(type) {
		case *fileConn:
			of.mu.Lock()
			defer of.mu.Unlock()
			of.uses++
			return of, of.uses
		case *tls.Conn: // two of them by way of a proxy that speaks TLS
			conn = of.NetConn()
		default:
			return nil, 0
		}
	}
}

// end closes the connection, unless it is in another use than the given one by now.
func (c *fileConn) end(use int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uses == use {
		_ = c.Close() // it is to be gone, one way or the other
	}
}
