package connect

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// keyLine is a key with an ID, the same for the same seed.
func keyLine(id string, seed byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{seed}, codecKeyBytes)) + "\n"
}

// codecOf is the codec of a file with a text.
func codecOf(t *testing.T, text string) *codec {
	t.Helper()
	file := filepath.Join(t.TempDir(), "codec.keys")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readCodec(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// said is a payload with a text.
func said(t *testing.T, text string) []*common.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(text)
	if err != nil {
		t.Fatal(err)
	}
	return []*common.Payload{p}
}

// sealed is what a codec makes of a text.
func sealed(t *testing.T, c *codec, text string) []*common.Payload {
	t.Helper()
	out, err := c.Encode(said(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCodec(t *testing.T) {
	before, after := codecOf(t, keyLine("k1", 1)), codecOf(t, "# changed\n\n"+keyLine("k2", 2)+keyLine("k1", 1))
	plain := said(t, "planted")
	for name, c := range map[string]struct {
		codec *codec
		in    []*common.Payload
	}{
		"its own":                {before, sealed(t, before, "planted")},
		"of the key before":      {after, sealed(t, before, "planted")},
		"of the key of today":    {after, sealed(t, after, "planted")},
		"not encrypted":          {after, plain},
		"not encrypted, no keys": {&codec{}, sealed(t, &codec{}, "planted")},
	} {
		got, err := c.codec.Decode(c.in)
		if err != nil || len(got) != 1 || !proto.Equal(got[0], plain[0]) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, plain)
		}
	}
	one, two := sealed(t, after, "planted")[0], sealed(t, after, "planted")[0]
	if bytes.Contains(one.GetData(), []byte("planted")) || string(one.GetMetadata()[sealedKeyID]) != "k2" || len(one.GetMetadata()) != 2 {
		t.Errorf("encrypted with the first key: %v", one)
	}
	if bytes.Equal(one.GetData(), two.GetData()) {
		t.Error("the same text is encrypted to the same bytes")
	}
}

func TestCodecRefusesToDecode(t *testing.T) {
	c := codecOf(t, keyLine("k1", 1)+keyLine("k2", 2))
	changed := func(change func(p *common.Payload)) []*common.Payload {
		out := sealed(t, c, "planted")
		change(out[0])
		return out
	}
	for name, in := range map[string]struct {
		codec *codec
		in    []*common.Payload
		want  string
	}{
		"another key with the ID": {codecOf(t, keyLine("k1", 9)), sealed(t, c, "x"), "with another key"},
		"unknown ID":              {codecOf(t, keyLine("k9", 1)), sealed(t, c, "x"), `"k1", which is not in`},
		"turned off":              {&codec{}, sealed(t, c, "x"), "set temporal['codec_key_file']"},
		"truncated":               {c, changed(func(p *common.Payload) { p.Data = p.Data[:len(p.Data)-1] }), "damaged"},
		"nearly nothing":          {c, changed(func(p *common.Payload) { p.Data = p.Data[:3] }), "damaged"},
		"empty":                   {c, changed(func(p *common.Payload) { p.Data = nil }), "damaged"},
		"a bit":                   {c, changed(func(p *common.Payload) { p.Data[20] ^= 1 }), "damaged"},
		"the ID of another key":   {c, changed(func(p *common.Payload) { p.Metadata[sealedKeyID] = []byte("k2") }), "damaged"},
		"no ID":                   {c, changed(func(p *common.Payload) { delete(p.Metadata, sealedKeyID) }), "which is not in"},
	} {
		if got, err := in.codec.Decode(in.in); err == nil || !strings.Contains(err.Error(), in.want) {
			t.Errorf("%s: %v, %v; want an error with %q", name, got, err, in.want)
		}
	}
}

func TestCodecKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "codec.keys")
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, codecKeyBytes))
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"none":                 {"# nothing\n\n", 0o600, "holds no key"},
		"readable by a group":  {keyLine("k", 1), 0o640, "run chmod 600 " + file},
		"readable by others":   {keyLine("k", 1), 0o604, "run chmod 600 " + file},
		"no ID":                {keyLine("k", 1) + secret, 0o600, file + ":2: a line is ID:KEY"},
		"odd ID":               {"a b:" + secret, 0o600, file + ":1: a line is ID:KEY"},
		"an ID twice":          {keyLine("k", 1) + "\nk:" + secret, 0o600, file + ":3: its ID"},
		"short":                {"k:" + secret[:40], 0o600, file + ":1: the key is not 32 bytes"},
		"long":                 {"k:" + base64.StdEncoding.EncodeToString(make([]byte, 33)), 0o600, "not 32 bytes"},
		"not base64":           {"k:" + secret[:42] + "**", 0o600, "not 32 bytes in base64"},
		"something after it":   {"k:" + secret + " # mine", 0o600, "not 32 bytes in base64"},
		"a file with one line": {secret, 0o600, file + ":1: a line is ID:KEY"},
	} {
		_ = os.Remove(file)
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := readCodec(file)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "temporal['codec_key_file']: ") {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret[:20]) {
			t.Errorf("%s: the error repeats the key: %v", name, err)
		}
	}
	if _, err := readCodec(file + ".absent"); err == nil {
		t.Error("a file that is not there was accepted")
	}
}
