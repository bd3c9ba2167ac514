package ctl

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
)

// codecConfig is a configuration with a key.
func codecConfig(t *testing.T, more string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "chef-sync.rb")
	for name, text := range map[string]string{
		file:                             replicaSettings + "temporal['codec_key_file'] = 'codec.keys'\n" + more,
		filepath.Join(dir, "codec.keys"): "day1:" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// TestCodecServer: what ec-syncd encrypts is decoded by the SDK's client of the
// protocol, which the temporal CLI has inside, and an interrupt is a good end.
func TestCodecServer(t *testing.T) {
	file := codecConfig(t, "temporal['ui_port'] = 8299\n")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	var stderr bytes.Buffer
	a := &App{Stdin: strings.NewReader(""), Stdout: in, Stderr: &stderr, Now: time.Now, Env: noEnv{}, DefaultConfig: file}
	code := make(chan int, 1)
	go func() {
		code <- a.Run(ctx, []string{program, "codec-server", "--listen", "127.0.0.1:0", "--output", "json"})
		_ = in.Close()
	}()
	var s servedCodec
	said := bufio.NewReader(out)
	if err := json.NewDecoder(said).Decode(&s); err != nil {
		t.Fatalf("%v, %s", err, &stderr)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if s.Namespace != "default" || strings.Join(s.Origins, " ") != "http://127.0.0.1:8299 http://localhost:8299" {
		t.Errorf("it serves %+v", s)
	}

	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := connect.Codec(cfg)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := converter.GetDefaultDataConverter().ToPayload("planted")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := codec.Encode([]*common.Payload{plain})
	if err != nil {
		t.Fatal(err)
	}
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{Endpoint: s.Endpoint})
	if got, err := remote.Decode(sealed); err != nil || len(got) != 1 || !proto.Equal(got[0], plain) {
		t.Errorf("decoded %v, %v; want %v", got, err, plain)
	}
	sealed, err = remote.Encode([]*common.Payload{plain})
	if err != nil || bytes.Contains(sealed[0].GetData(), []byte("planted")) {
		t.Fatalf("encoded %v, %v", sealed, err)
	}
	if got, err := codec.Decode(sealed); err != nil || !proto.Equal(got[0], plain) {
		t.Errorf("what the server encoded is %v, %v", got, err)
	}

	interrupt()
	select {
	case got := <-code:
		if got != ExitOK || stderr.Len() > 0 {
			t.Errorf("code %d, %s", got, &stderr)
		}
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}
}

// TestCodecServerPortTaken: another one runs already.
func TestCodecServerPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newShell(t, "")
	s.file = codecConfig(t, "")
	code, stdout, stderr := s.run("codec-server", "--listen", l.Addr().String())
	if code != ExitNotDone || stdout != "" || !strings.Contains(stderr, "address already in use") {
		t.Errorf("code %d, %q, %s", code, stdout, stderr)
	}
}

func TestCodecServerSays(t *testing.T) {
	for _, tt := range []struct {
		origins []string
		want    string
	}{
		{[]string{"http://t:8080", "http://u"}, "Web UI:       http://t:8080, http://u, with this endpoint"},
		{nil, "none may ask; name its address with --origin URL"},
	} {
		var out bytes.Buffer
		if err := (servedCodec{Endpoint: "http://127.0.0.1:8081", Origins: tt.origins}).show(&printer{out: &out}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), tt.want) || !strings.Contains(out.String(), "--codec-endpoint http://127.0.0.1:8081\n") {
			t.Errorf("%v: %s", tt.origins, &out)
		}
	}
	for _, tt := range []struct {
		named    []string
		embedded bool
		port     int
		want     string
	}{
		{nil, true, 8233, "http://127.0.0.1:8233 http://localhost:8233"},
		{nil, true, 0, ""},
		{nil, false, 8233, ""},
		{[]string{"https://T.example.com/", "https://t.example.com:443"}, true, 8233, "https://t.example.com"},
	} {
		got, err := origins(tt.named, tt.embedded, tt.port)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: %v, %v", tt, got, err)
		}
	}
}
