package primary_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/chef-sync/chef-sync/internal/feedserver/primary"
)

// inRecovery is a PostgreSQL that says of itself, to whoever asks, whether it is a
// standby: "t" or "f". It returns its address.
func inRecovery(t *testing.T, is string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if err := speak(c, is); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Logf("a PostgreSQL that is none: %v", err)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// speak answers a login, and then each question with whether this is a standby.
func speak(c net.Conn, is string) error {
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return err
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for {
		if err := b.Flush(); err != nil {
			return err
		}
		message, err := b.Receive()
		if err != nil {
			return err
		}
		if _, ok := message.(*pgproto3.Terminate); ok {
			return nil
		}
		b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: 25}}})
		b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(is)}})
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

// TestStandby: the feed server uses no standby, whose log is behind, and finds the
// primary among several hosts.
func TestStandby(t *testing.T) {
	standby, writes := inRecovery(t, "t"), inRecovery(t, "f")
	login := func(hosts, parameters string) (string, error) {
		t.Helper()
		cfg, _, err := primary.Database{URL: "postgres://u@" + hosts + "/d?sslmode=disable" + parameters}.Config()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgconn.ConnectConfig(t.Context(), &cfg.ConnConfig.Config)
		if err != nil {
			return "", err
		}
		defer conn.Close(t.Context())
		return conn.Conn().RemoteAddr().String(), nil
	}
	if at, err := login(standby, ""); err == nil || !strings.Contains(err.Error(), "standby") {
		t.Errorf("a standby: logged in at %s, %v", at, err)
	}
	if at, err := login(standby+","+writes, ""); err != nil || at != writes {
		t.Errorf("both: logged in at %s, %v; want %s", at, err, writes)
	}
	if at, err := login(standby, "&target_session_attrs=prefer-standby"); err != nil || at != standby {
		t.Errorf("a standby on request: logged in at %s, %v", at, err)
	}
}
