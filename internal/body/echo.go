package body

import "strings"

// echo prepares a value for the input of a fault: as it came, but without what could be a secret. The library echoes passwords;
// answers end in logs and screenshots, so ours do not.
func echo(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return echoObject(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = echo(v[i])
		}
		return out
	case number:
		if _, err := v.Float64(); err != nil {
			return nil // larger than any number that others can read
		}
	case brokenText, notANumber:
		return nil
	}
	return value
}

func echoObject(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for name, value := range values {
		out[name] = echoField(name, value)
	}
	return out
}

func echoField(name string, value any) any {
	if soundsSecret(name) {
		return nil
	}
	return echo(value)
}

// echoText is echo for a body that is no JSON.
func echoText(body string) any {
	if soundsSecret(body) {
		return nil
	}
	return strings.ToValidUTF8(body, "\ufffd")
}

func soundsSecret(text string) bool {
	lower := strings.ToLower(text)
	for _, word := range []string{"password", "secret", "token", "key"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}
