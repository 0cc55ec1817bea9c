package auth

import (
	"cmp"
	"strings"
	"unicode"
)

// mark is a part of a user agent and what it says.
type mark struct{ part, name string }

// browsers come in the order in which they claim to be others: Edge says Chrome, and Chrome says Safari.
func browsers() []mark {
	return []mark{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	}
}

func systems() []mark {
	return []mark{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	}
}

// maxDevice bounds what is shown of a user agent that is no browser's, in characters.
const maxDevice = 40

// Device gives a user agent's device in words for people: "Firefox on Windows", or the name of a program such as curl. It is what
// the client says of itself, and proves nothing.
func Device(userAgent string) string {
	browser, system := named(userAgent, browsers()), named(userAgent, systems())
	switch {
	case strings.HasPrefix(userAgent, "Mozilla/") && browser != "" && system != "":
		return browser + " on " + system
	case strings.HasPrefix(userAgent, "Mozilla/"):
		return cmp.Or(browser, system, "Unknown browser")
	}
	return program(userAgent)
}

func named(userAgent string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(userAgent, m.part) {
			return m.name
		}
	}
	return ""
}

// program is the first product of a user agent, without its version.
func program(userAgent string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(userAgent), "/")
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	if runes := []rune(name); len(runes) > maxDevice {
		name = string(runes[:maxDevice])
	}
	return cmp.Or(strings.TrimSpace(name), "Unknown device")
}
