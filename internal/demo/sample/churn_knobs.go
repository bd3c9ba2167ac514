package sample

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// A knob is a value in an object of the sample that people turn.
type knob struct {
	object string // its name; BAG/ID for an item
	path   string // keys with slashes between them
	values []any  // as a decoder with UseNumber gives them
}

var (
	roleKnobs = []knob{
		{"web_server", "override_attributes/nginx/worker_processes", numbers("2", "4", "8", "16")},
		{"web_server", "override_attributes/nginx/keepalive_timeout", numbers("15", "30", "65")},
		{"app_server", "default_attributes/webshop/java/heap_mb", numbers("1024", "2048", "3072", "4096")},
		{"app_server", "default_attributes/webshop/features/wishlist", []any{true, false}},
		{"db:primary", "default_attributes/postgresql/config/max_connections", numbers("200", "400", "600", "800")},
		{"db_standby", "default_attributes/postgresql/config/max_standby_streaming_delay", texts("30s", "120s", "600s")},
		{"monitoring_server", "override_attributes/monitoring/thresholds/load_per_core", numbers("1.25", "1.50", "2.00")},
		{"build_agent", "default_attributes/build/slots", numbers("4", "6", "8")},
	}
	environmentKnobs = []knob{
		{"production", "cookbook_versions/webshop", texts("= 0.9.1", "= 0.10.0")},
		{"production", "override_attributes/monitoring/thresholds/disk_percent", numbers("75", "80", "85")},
		{"staging", "cookbook_versions/nginx", texts("~> 2.0", "= 2.0.0", ">= 1.4.2")},
		{"load-test", "default_attributes/qa/users_per_second", numbers("100", "250", "500", "1000")},
	}
	itemKnobs = []knob{
		{"apps/webshop", "version", texts("2026.11.3", "2026.11.4", "2026.12.0", "2026.12.1")},
		{"apps/webshop", "instances", numbers("2", "3", "4", "6")},
		{"apps/search", "instances", numbers("1", "2", "3")},
		{"apps/invoices", "next_number", numbers("20261100004711", "20261100004712", "20261200000001")},
		{"users/mara", "shell", texts("/bin/zsh", "/bin/bash", "/usr/bin/fish")},
		{"users/j.doe-ext", "expires", texts("2027-01-31", "2027-06-30", "2027-12-31")},
		{"networks/dc:1", "rows", numbers("4", "5", "6")},
	}
)

// numbers are as a decoder with UseNumber gives them.
func numbers(digits ...string) []any {
	out := make([]any, len(digits))
	for i, d := range digits {
		out[i] = json.Number(d)
	}
	return out
}

func texts(values ...string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

func (ch *Churn) editRole(ctx context.Context) (string, error) {
	k := oneOf(ch, roleKnobs...)
	return ch.turn(k, "role ",
		func() (json.RawMessage, error) { return ch.client.GetRole(ctx, k.object) },
		func(body json.RawMessage) error { return ch.client.UpdateRole(ctx, k.object, body) })
}

func (ch *Churn) editEnvironment(ctx context.Context) (string, error) {
	k := oneOf(ch, environmentKnobs...)
	return ch.turn(k, "environment ",
		func() (json.RawMessage, error) { return ch.client.GetEnvironment(ctx, k.object) },
		func(body json.RawMessage) error { return ch.client.UpdateEnvironment(ctx, k.object, body) })
}

func (ch *Churn) editItem(ctx context.Context) (string, error) {
	k := oneOf(ch, itemKnobs...)
	bag, id, _ := strings.Cut(k.object, "/")
	return ch.turn(k, "data bag item ",
		func() (json.RawMessage, error) { return ch.client.GetDataBagItem(ctx, bag, id) },
		func(body json.RawMessage) error { return ch.client.UpdateDataBagItem(ctx, bag, id, body) })
}

// turn gives a knob another value than it has, and leaves all else as it is.
func (ch *Churn) turn(k knob, kind string, get func() (json.RawMessage, error), put func(json.RawMessage) error) (string, error) {
	said, err := ch.tryTurn(k, get, put)
	if err != nil {
		return "", fmt.Errorf("update %s%s: %w", kind, k.object, err)
	}
	if said == "" {
		return "", nil
	}
	return kind + k.object + ": " + said, nil
}

func (ch *Churn) tryTurn(k knob, get func() (json.RawMessage, error), put func(json.RawMessage) error) (string, error) {
	body, err := get()
	if err != nil {
		return "", err
	}
	doc, err := decode(body)
	if err != nil {
		return "", err
	}
	keys := strings.Split(k.path, "/")
	at := doc
	for _, key := range keys[:len(keys)-1] {
		inner, ok := at[key].(map[string]any)
		if !ok {
			return "", nil // somebody has taken it out
		}
		at = inner
	}
	key := keys[len(keys)-1]
	was := at[key]
	now := k.values[ch.rng.IntN(len(k.values)-1)]
	if show(now) == show(was) {
		now = k.values[len(k.values)-1]
	}
	at[key] = now
	if body, err = json.Marshal(doc); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s -> %s", key, show(was), show(now)), put(body)
}

// show prints a value for people. Floats are shown as they are spelled; servers
// may spell 1.50 as 1.5.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "unset"
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.Contains(v.String(), ".") {
			return fmt.Sprint(f)
		}
		return v.String()
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// decode keeps every digit of numbers.
func decode(body json.RawMessage) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var doc map[string]any
	return doc, d.Decode(&doc)
}
