package settings

// mergedFree merges a patch into settings that are the client's own affair, as the upstream does: within an object that is there
// null removes a member; at the top, and in what is new, it is a value.
func mergedFree(base, patch map[string]any) map[string]any { return freely(base, patch, false) }

func freely(base, patch map[string]any, within bool) map[string]any {
	for name, v := range patch {
		below, isObject := base[name].(map[string]any)
		more, isToo := v.(map[string]any)
		switch {
		case v == nil && within:
			delete(base, name)
		case isObject && isToo:
			base[name] = freely(below, more, true)
		default:
			base[name] = cloned(v)
		}
	}
	return base
}

// freeOver puts a layer of such settings over another one. A null lets what is below show; where nothing is, it is shown.
func freeOver(base, layer map[string]any) map[string]any {
	for name, v := range layer {
		_, covers := base[name]
		below, isObject := base[name].(map[string]any)
		more, isToo := v.(map[string]any)
		switch {
		case v == nil && covers:
		case isObject && isToo:
			base[name] = freeOver(below, more)
		default:
			base[name] = cloned(v)
		}
	}
	return base
}
