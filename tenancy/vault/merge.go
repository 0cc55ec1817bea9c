package vault

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Merge returns base with patch over it (RFC 7396): objects merge with objects at any depth, null removes, everything else
// replaces. It may change base, never patch.
func Merge(base, patch map[string]any) map[string]any {
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(base, key)
		case map[string]any:
			below, isObject := base[key].(map[string]any)
			if !isObject {
				below = map[string]any{}
			}
			base[key] = Merge(below, value)
		default:
			base[key] = value
		}
	}
	return base
}

// unfolded counts the digits that the numbers in a value gain where they are written out, as the database does: "1e131071" becomes
// 131,072 digits. A document must not grow by being kept.
func unfolded(value any) int {
	digits := 0
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			digits += unfolded(v)
		}
	case []any:
		for _, v := range value {
			digits += unfolded(v)
		}
	case json.Number:
		if _, exponent, has := strings.Cut(strings.ToLower(value.String()), "e"); has {
			n, err := strconv.ParseInt(exponent, 10, 32)
			if err != nil {
				return maxDocument + 1
			}
			digits = int(max(n, -n))
		}
	}
	return min(digits, maxDocument+1)
}

// depth counts the objects and lists that lie inside each other.
func depth(value any) int {
	deepest := 0
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			deepest = max(deepest, depth(v))
		}
	case []any:
		for _, v := range value {
			deepest = max(deepest, depth(v))
		}
	default:
		return 0
	}
	return deepest + 1
}
