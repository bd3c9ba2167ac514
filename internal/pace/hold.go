package pace

// MaxHeld is how many requests one server is asked to hold at a time. Each occupies a
// connection there, two where a proxy stands before it, and a feed server answers at
// once when it holds 1,000 of all who ask.
const MaxHeld = 500

// Hold asks for leave to have a request held, which ends with the returned function.
// It does not wait: without leave, the caller asks for an answer at once, and again
// at its interval.
func (s *Server) Hold() (end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held >= MaxHeld {
		return nil, false
	}
	s.held++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held--
	}, true
}
