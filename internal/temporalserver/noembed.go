//go:build noembed

package temporalserver

import "context"

// Embedded says whether this binary holds a Temporal server.
func Embedded() bool { return false }

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
