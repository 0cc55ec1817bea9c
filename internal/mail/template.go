package mail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"io"
	"net/url"
	"strings"
	texttemplate "text/template"
)

//go:embed templates
var templateFiles embed.FS

// Content is what a mail says, in both forms.
type Content struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
}

// titles are the subjects, by template. Nothing that somebody typed is ever in one.
func titles() map[string]string {
	return map[string]string{
		"verify":                "Confirm your e-mail address",
		"reset":                 "Choose a new password",
		"email-changed":         "Your e-mail address was changed",
		"email-changed-for-you": "Your e-mail address was changed",
		"new-device":            "New sign-in to your account",
		"password-changed":      "Your password was changed",
		"factor-changed":        "Your second factor was changed",
		"test":                  "A test of OpenHands' mails",
	}
}

// render makes both forms of a mail. A template that there is not, or that lacks something to show, is a fault of the program.
func render(m Message, site string) (Content, error) {
	if err := CheckAddress(m.To); err != nil {
		return Content{}, err
	}
	subject, known := titles()[m.Template]
	if !known {
		return Content{}, fmt.Errorf("there is no mail template %q", m.Template)
	}
	shown, err := presentable(m, site)
	if err != nil {
		return Content{}, err
	}
	shown["subject"] = subject
	text, err := texttemplate.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/layout.txt", "templates/"+m.Template+".txt")
	if err != nil {
		return Content{}, fmt.Errorf("read the mail template %s: %w", m.Template, err)
	}
	html, err := htmltemplate.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/layout.html", "templates/"+m.Template+".html")
	if err != nil {
		return Content{}, fmt.Errorf("read the mail template %s: %w", m.Template, err)
	}
	c := Content{Subject: subject}
	if c.Text, err = executed(text, "layout", shown); err != nil {
		return Content{}, err
	}
	c.HTML, err = executed(html, "layout", shown)
	return c, err
}

// executor is either kind of template.
type executor interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}

func executed(t executor, name string, data map[string]string) (string, error) {
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, name, data); err != nil {
		return "", fmt.Errorf("write a mail: %w", err)
	}
	return out.String(), nil
}

// Bounds of what is shown, in characters and in bytes.
const (
	maxShown = 320
	maxLink  = 2048
)

// presentable is the data as it may be shown: one line each, nothing unseen, bounded. A link is taken as it is, or not at all.
func presentable(m Message, site string) (map[string]string, error) {
	shown := map[string]string{}
	for key, value := range m.Data {
		shown[key] = line(value)
	}
	if link, given := m.Data["link"]; given {
		if err := checkLink(link); err != nil {
			return nil, err
		}
		shown["link"] = link
	}
	shown["to"], shown["site"] = m.To, site
	return shown, nil
}

// line makes one bounded line of what anybody may have typed.
func line(value string) string {
	value = strings.Map(func(c rune) rune {
		if unpresentable(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(value, " "))
	value = strings.Join(strings.Fields(value), " ")
	if letters := []rune(value); len(letters) > maxShown {
		return string(letters[:maxShown-1]) + "…"
	}
	return value
}

// checkLink takes what leads to a site of people: nothing that a mail program would run or break.
func checkLink(link string) error {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		len(link) > maxLink || strings.ContainsFunc(link, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"<>\`, c) }) {
		return fmt.Errorf("a link in a mail must be a complete http or https address")
	}
	return nil
}
