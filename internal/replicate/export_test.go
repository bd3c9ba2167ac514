package replicate

// SetSandboxFiles bounds the files of one sandbox.
func (e *Engine) SetSandboxFiles(n int) { e.sandboxFiles = n }
