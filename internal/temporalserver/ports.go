//go:build !noembed

package temporalserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// ports are the TCP ports of one server.
type ports struct {
	frontend, history, matching, worker int
	ui                                  int // zero without a Web UI
}

// choosePorts checks the fixed ports and picks free ones for the rest. The
// servers underneath open their listeners themselves, and the Web UI ends the
// process if it cannot, so this check is what turns a taken port into an error.
func choosePorts(o Options) (ports, error) {
	var p ports
	var err error
	if p.frontend, err = fixedOrFree(o.Port, portSetting); err != nil {
		return p, err
	}
	if !o.NoUI {
		if p.ui, err = fixedOrFree(o.UIPort, uiPortSetting); err != nil {
			return p, err
		}
	}
	for _, port := range []*int{&p.history, &p.matching, &p.worker} {
		if *port, err = freePort(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// fixedOrFree returns port if it can be listened on, or a free one if port is
// negative. setting is what an operator changes to get another port.
func fixedOrFree(port int, setting string) (int, error) {
	if port < 0 {
		return freePort()
	}
	l, err := net.Listen("tcp", address(port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return 0, fmt.Errorf("%s: %w: another ec-syncd or another Temporal server may be running on this host; "+
			"stop it, or set %s in chef-sync.rb to a free port", address(port), ErrPortInUse, setting)
	case err != nil:
		return 0, fmt.Errorf("listen on %s (%s): %w", address(port), setting, err)
	}
	return port, l.Close()
}

// freePort returns a port that nothing listens on.
//
// Between this and the server's own listen the kernel could hand the port to
// somebody else. A connection that this side closes first leaves the port in
// TIME_WAIT for a minute: the kernel then does not pick it for others, while a
// listener that asks for it by number gets it.
func freePort() (int, error) {
	l, err := net.Listen("tcp", address(0))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer client.Close()
	accepted, err := l.Accept()
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	accepted.Close() // before the client's end, so that TIME_WAIT falls to the listener's port
	return l.Addr().(*net.TCPAddr).Port, nil
}

// address returns the loopback address with port.
func address(port int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}
