package doctor

import (
	"context"
	"net"
	"net/url"
	"slices"
)

// guid is that of the organization on a side; "" if it cannot be told.
func (x *exam) guid(ctx context.Context, at subject) string {
	s := x.sides[at.side]
	if !s.HasOrganizations || accepted(ctx, x, at) != "" {
		return ""
	}
	c, err := s.client()
	if err != nil {
		return ""
	}
	org, err := s.within(c, at).GetOrganization(ctx)
	if err != nil {
		return ""
	}
	return org.GUID
}

// sameOrganization is for two sides that show one GUID. Servers at one address are
// one; others may be, or one was restored from a backup of the other.
func (x *exam) sameOrganization(ctx context.Context, guid string) []Finding {
	primary, replica := x.sides[Primary].URL, x.sides[Replica].URL
	if sameAddress(ctx, net.DefaultResolver.LookupHost, primary, replica) {
		return failed("replica in "+x.File, "%s and %s are one server, and this its one organization (GUID %s): nothing is replicated", primary, replica, guid)
	}
	return warning("replica in "+x.File+", unless one was restored from a backup of the other",
		"it has the GUID of that on %s, %s: if they are one server with two names, nothing is replicated", primary, guid)
}

// sameAddress reports whether two URLs lead to one address and port.
func sameAddress(ctx context.Context, lookup func(context.Context, string) ([]string, error), a, b string) bool {
	here, there := endpoints(ctx, lookup, a), endpoints(ctx, lookup, b)
	return slices.ContainsFunc(here, func(e string) bool { return slices.Contains(there, e) })
}

// endpoints are the addresses with port that a URL leads to; none if it cannot be
// resolved.
func endpoints(ctx context.Context, lookup func(context.Context, string) ([]string, error), raw string) []string {
	u, err := url.Parse(raw)
	if err != nil {
		return nil
	}
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	addresses, err := lookup(ctx, u.Hostname())
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(addresses))
	for _, ip := range addresses {
		out = append(out, net.JoinHostPort(ip, port))
	}
	return out
}
