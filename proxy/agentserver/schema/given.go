package schema

import "github.com/openhands-saas/openhands-saas/internal/problem"

// Given judges a value as Validate does, by a model at hand: for what the upstream takes and its OpenAPI document does not
// describe. The models that it refers to are its "$defs". Numbers in it are json.Number.
func Given(model map[string]any, v any, loc ...any) (any, []problem.Field) {
	j := &judge{models: sub(model, "$defs")}
	clean := j.value(model, loc, v)
	return clean, j.faults
}
