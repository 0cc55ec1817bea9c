package settings

import (
	"fmt"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// fault is one entry of a 422. It never holds the input: that may be a secret.
func fault(kind string, loc []any, format string, args ...any) problem.Field {
	return problem.Field{Type: kind, Loc: loc, Msg: fmt.Sprintf(format, args...)}
}
