package plan

// Field is one place in which two JSON documents differ.
type Field struct {
	// Path is a JSON pointer (RFC 6901): /default_attributes/nginx/port.
	Path string `json:"path"`

	// Primary and Replica are the values as JSON; "" where a side has none.
	Primary string `json:"primary,omitempty"`
	Replica string `json:"replica,omitempty"`
}
