package chef

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// list reads a map of names to URLs and returns the names, sorted. The answer is
// either the whole list or an error: every value has to be a URL, so that an
// error text or an object cannot pass for a list.
func (c *Client) list(ctx context.Context, names ...string) ([]string, error) {
	body, err := c.get(ctx, names...)
	if err != nil {
		return nil, err
	}
	var urls map[string]*string
	if !isObject(body) || json.Unmarshal(body, &urls) != nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not a list of names", names...)
	}
	for _, u := range urls {
		if u == nil || !strings.Contains(*u, "/") {
			return nil, c.unexpected(http.MethodGet, "a list of names without URLs", names...)
		}
	}
	return slices.Sorted(maps.Keys(urls)), nil
}

// getObject reads one object, which has to be a JSON object that has its name
// under the given key; [ErrWrongObject] if it has another.
func (c *Client) getObject(ctx context.Context, key string, names ...string) (json.RawMessage, error) {
	body, err := c.get(ctx, names...)
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if !isObject(body) || json.Unmarshal(body, &object) != nil {
		return nil, c.unexpected(http.MethodGet, "JSON that is not an object", names...)
	}
	if stringAt(object, key) != names[len(names)-1] {
		return nil, fmt.Errorf("GET %s: %w: its %s is not the one asked for", "/"+strings.Join(names, "/"), ErrWrongObject, key)
	}
	return body, nil
}

// write sends a body for the object of the given names and drops the answer,
// which may be an echo of what was sent rather than what is stored.
func (c *Client) write(ctx context.Context, method string, body any, names ...string) error {
	_, err := c.send(ctx, method, nil, body, names...)
	return err
}

func (c *Client) remove(ctx context.Context, names ...string) error {
	return c.write(ctx, http.MethodDelete, nil, names...)
}

// isObject reports whether raw, valid JSON, is an object.
func isObject(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{"))
}

// checkName refuses to send body to the URL of an object called name if it says
// that it has another name under the given key: some servers would rename the
// object. A body without the key passes.
func checkName(body json.RawMessage, key, name string) error {
	var object map[string]json.RawMessage
	if !isObject(body) || json.Unmarshal(body, &object) != nil {
		return invalid("the body for %q is not a JSON object", name)
	}
	said, ok := object[key]
	if !ok {
		return nil
	}
	var text string
	if json.Unmarshal(said, &text) != nil || text != name {
		return invalid("the body for %q has another %s", name, key)
	}
	return nil
}
