package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/viper"
)

// yamlLayer reads a YAML file of flat, lower-cased names, and the one list of sections there is, which goes into c. Viper lower-cases what it reads, so letter case does not matter.
func (r registry) yamlLayer(path string, raw []byte, c *Config, problems *Problems) layer {
	origin := "file " + path
	v := viper.NewWithOptions(viper.KeyDelimiter("\x00")) // a dot in a key is a dot
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(raw)); err != nil {
		problems.add(path, "", "not readable as YAML (%s); correct it there", withoutContent(err))
		return layer{}
	}
	l := layer{}
	for key, content := range v.AllSettings() {
		name := strings.ToUpper(key)
		if name == providersName {
			c.readProviders(content, origin, problems)
			continue
		}
		text, err := r.yamlText(name, content)
		if err != nil {
			problems.add(name, origin, "%v", err)
			continue
		}
		l[name] = entry{text: text, origin: origin} // empty ones, too: an unknown name is wrong whatever it holds
	}
	return l
}

// withoutContent takes quoted pieces of the file out of a parser's message: they may be pieces of a secret.
func withoutContent(err error) string {
	text := strings.TrimPrefix(err.Error(), "While parsing config: ")
	return strings.Join(strings.Fields(regexp.MustCompile("`[^`]*`|\"[^\"]*\"|'[^']*'").ReplaceAllString(text, "…")), " ")
}

// yamlText turns a YAML value into the text that the environment would hold. Numbers are taken only where numbers are meant:
// YAML reads 0123 as 83, and a password of digits would silently become another one.
func (r registry) yamlText(name string, content any) (string, error) {
	switch content := content.(type) {
	case nil:
		return "", nil
	case string:
		return content, nil
	case bool:
		return strconv.FormatBool(content), nil
	case int:
		if o, known := r.options[name]; known && !o.numeric() {
			return "", errors.New("put the value in quotes: YAML reads it as a number")
		}
		return strconv.Itoa(content), nil
	case []any:
		return r.yamlList(name, content)
	case map[string]any:
		return "", errors.New("has a section below it; names are flat, as in the environment (db_host: …)")
	}
	return "", errors.New("put the value in quotes: YAML reads it as something other than text")
}

func (r registry) yamlList(name string, items []any) (string, error) {
	texts := make([]string, len(items))
	for i, item := range items {
		text, ok := item.(string)
		if !ok || strings.Contains(text, ",") {
			return "", errors.New("write the list as texts in quotes")
		}
		texts[i] = text
	}
	if o, known := r.options[name]; known && !o.plural() {
		return "", errors.New("takes one value, not a list")
	}
	return strings.Join(texts, ","), nil
}

// envLayer reads NAME=value lines: blank lines and # comments go, quotes around a value go, nothing is expanded (a $ in a
// password stays).
func envLayer(path string, raw []byte, problems *Problems) layer {
	l := layer{}
	for i, line := range strings.Split(string(raw), "\n") {
		origin := fmt.Sprintf("env file %s, line %d", path, i+1)
		name, text, err := envLine(line)
		_, twice := l[name]
		switch {
		case err != nil:
			problems.add(path, "", "line %d: %v", i+1, err)
		case name != "" && twice:
			problems.add(name, origin, "is there twice; keep one")
		case name != "":
			l[name] = entry{text: text, origin: origin}
		}
	}
	return l
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func envLine(line string) (name, text string, err error) {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return "", "", nil
	}
	name, text, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
	name, text = strings.TrimSpace(name), strings.TrimSpace(text)
	if !ok || !envName.MatchString(name) {
		return "", "", errors.New("write NAME=value")
	}
	text, err = unquote(text)
	return strings.ToUpper(name), text, err
}

// unquote takes one pair of quotes off. Without quotes, " #" begins a comment.
func unquote(text string) (string, error) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		text, _, _ = strings.Cut(text, " #")
		return strings.TrimSpace(text), nil
	}
	end := strings.IndexByte(text[1:], text[0])
	if end < 0 {
		return "", errors.New("close the quotes at the end of the value")
	}
	if rest := strings.TrimSpace(text[end+2:]); rest != "" && rest[0] != '#' {
		return "", errors.New("nothing but a comment may follow the closing quotes")
	}
	return text[1 : end+1], nil
}
