package vault

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
