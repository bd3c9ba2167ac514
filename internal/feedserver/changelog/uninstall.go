package changelog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// PlanUninstall returns what [Uninstall] would do, and does nothing.
func PlanUninstall(ctx context.Context, conn *pgx.Conn) ([]Statement, error) {
	s, err := inspect(ctx, conn, true)
	if err != nil {
		return nil, err
	}
	var out []Statement
	for _, tbl := range s.strays {
		out = append(out, dropStatement(tbl))
	}
	back, err := revocations(ctx, conn)
	if err != nil {
		return nil, err
	}
	out = append(out, back...)
	return append(out, Statement{SQL: "DROP SCHEMA IF EXISTS chef_sync CASCADE", Why: "removes the schema and all that is in it"}), nil
}

// Uninstall removes everything of ours. Chef's tables are locked for a moment,
// one at a time. It may be repeated, and after an error it must be.
func Uninstall(ctx context.Context, conn *pgx.Conn) error {
	plan, err := PlanUninstall(ctx, conn)
	if err != nil {
		return err
	}
	for _, st := range plan {
		if _, err := locked(ctx, conn, st); err != nil {
			return fmt.Errorf("uninstall with %q: %w", st.SQL, err)
		}
	}
	return nil
}
