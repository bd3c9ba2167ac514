//go:build noembed

package temporalserver

import "context"

// Embedded says whether this binary holds a Temporal server.
func Embedded() bool { return false }

// Version is that of the Temporal server in this binary; "" if it holds none.
func Version() string { return "" }

// Server stands in for the running server that this binary cannot have.
type Server struct{}

// Start returns ErrNotEmbedded.
func Start(context.Context, Options) (*Server, error) { return nil, ErrNotEmbedded }

// HostPort returns the empty string.
func (s *Server) HostPort() string { return "" }

// UIURL returns the empty string.
func (s *Server) UIURL() string { return "" }

// Stop does nothing.
func (s *Server) Stop() {}
