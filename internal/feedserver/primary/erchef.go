package primary

import (
	"cmp"
	"encoding/json"
	"net"
	"os"
	"strconv"
)

// Erchef returns the URL of the Chef server's API service on this host, as the
// file says where it listens ("": RunningFile). It is "" if there is no such file,
// or the service is on another host.
func Erchef(file string) string {
	text, err := os.ReadFile(cmp.Or(file, RunningFile))
	if err != nil {
		return ""
	}
	var r running
	if json.Unmarshal(text, &r) != nil {
		return ""
	}
	erchef := r.Chef.Erchef
	ip := net.ParseIP(cmp.Or(erchef.VIP, "127.0.0.1"))
	port, err := portOf(erchef.Port, 0)
	if err != nil || port < 1 || port > 65535 || ip == nil || !ip.IsLoopback() {
		return ""
	}
	return "http://" + net.JoinHostPort(ip.String(), strconv.Itoa(port))
}

// portOf reads a port that is written as a number or as text.
func portOf(v any, unset int) (int, error) {
	switch p := v.(type) {
	case float64:
		return int(p), nil
	case string:
		return strconv.Atoi(p)
	}
	return unset, nil
}
