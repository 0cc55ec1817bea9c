package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/openhands-saas/openhands-saas/auth"
)

// UserImport is what `user import` was given.
type UserImport struct {
	File   string
	Format string   // csv or json; empty: by the name of the file
	Ignore []string // columns that are there and not taken
	DryRun bool
}

// Bounds of a file of accounts.
const (
	maxImportFile     = 64 << 20 // bytes
	maxImportAccounts = 100_000
)

// importColumn is our name for a column that is taken; empty for others.
func importColumn(name string) string {
	switch name = strings.ToLower(name); name {
	case "email", "name", "password_hash", "is_active", "is_superuser", "is_verified", "created_at":
		return name
	case "hashed_password": // FastAPI-Users'
		return "password_hash"
	}
	return ""
}

// ImportUsers makes accounts from a file, all or none, and prints what is wrong with it, line by line.
func (t *Tools) ImportUsers(ctx context.Context, o UserImport, out io.Writer) error {
	accounts, faults, err := readAccounts(o)
	if err != nil {
		return fmt.Errorf("%s: %w", o.File, err)
	}
	more, err := t.app.auth.CheckImport(ctx, accounts)
	if err != nil {
		return err
	}
	if faults = append(faults, more...); len(faults) == 0 && !o.DryRun {
		if faults, err = t.app.auth.Import(ctx, auth.CommandLine(), accounts); err != nil {
			return err
		}
	}
	if len(faults) > 0 {
		return refused(o.File, faults, out)
	}
	return imported(accounts, o.DryRun, out)
}

func refused(file string, faults []auth.ImportFault, out io.Writer) error {
	slices.SortStableFunc(faults, func(a, b auth.ImportFault) int { return a.Line - b.Line })
	for _, f := range faults {
		if _, err := fmt.Fprintf(out, "line %d  %s  %s\n", f.Line, oneLine(f.Email), oneLine(f.Reason)); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: nothing was imported: %d problems, as listed", filepath.Base(file), len(faults))
}

func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) { // a file may hold what a terminal obeys
			return ' '
		}
		return r
	}, s)
	if s = strings.Join(strings.Fields(s), " "); s == "" {
		return "-"
	}
	return s
}

func imported(accounts []auth.Imported, dry bool, out io.Writer) error {
	open := 0
	for _, a := range accounts {
		if a.PasswordHash == "" {
			open++
		}
	}
	verb := "imported"
	if dry {
		verb = "nothing is wrong; would import"
	}
	_, err := fmt.Fprintf(out, "%s %d accounts, %d of them without a password (openhands-saas user setup-link lets their owners choose one)\n", verb, len(accounts), open)
	return err
}

// readAccounts reads the file. A fault of one line does not hide those of others; what cannot be read at all is an error.
func readAccounts(o UserImport) ([]auth.Imported, []auth.ImportFault, error) {
	content, err := readBounded(o.File)
	if err != nil {
		return nil, nil, err
	}
	format := o.Format
	if format == "" {
		format = strings.TrimPrefix(strings.ToLower(filepath.Ext(o.File)), ".")
	}
	var rows []importRow
	switch format {
	case "csv":
		rows, err = csvRows(content, o.Ignore)
	case "json":
		rows, err = jsonRows(content, o.Ignore)
	default:
		return nil, nil, errors.New("name the file .csv or .json, or say --format csv or --format json")
	}
	if err != nil {
		return nil, nil, err
	}
	if len(rows) > maxImportAccounts {
		return nil, nil, fmt.Errorf("at most %d accounts at a time; split the file", maxImportAccounts)
	}
	accounts := make([]auth.Imported, len(rows))
	var faults []auth.ImportFault
	for i, row := range rows {
		var reasons []string
		accounts[i], reasons = row.account()
		for _, reason := range reasons {
			faults = append(faults, auth.ImportFault{Line: row.line, Email: accounts[i].Email, Reason: reason})
		}
	}
	return accounts, faults, nil
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxImportFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxImportFile {
		return nil, fmt.Errorf("the file is longer than %d MiB; split it", maxImportFile>>20)
	}
	return bytes.TrimPrefix(content, []byte("\ufeff")), nil
}

// importRow is one account as it stands in the file, by our names for the columns. What is not there is not in values.
type importRow struct {
	line   int
	values map[string]string
	faults []string
}

// account reads the values: what is empty counts as not given.
func (r importRow) account() (auth.Imported, []string) {
	a := auth.Imported{Line: r.line, Email: r.values["email"], Name: optional(r.values["name"]), PasswordHash: r.values["password_hash"]}
	reasons := r.faults
	flag := func(column string, otherwise bool) bool {
		value, ok := readFlag(r.values[column], otherwise)
		if !ok {
			reasons = append(reasons, column+": write true or false")
		}
		return value
	}
	a.IsActive, a.IsSuperuser, a.IsVerified = flag("is_active", true), flag("is_superuser", false), flag("is_verified", false)
	at, ok := readTime(r.values["created_at"])
	if !ok {
		reasons = append(reasons, "created_at: write a time such as 2024-05-31T12:00:00Z")
	}
	a.CreatedAt = at
	return a, reasons
}

func readFlag(text string, otherwise bool) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "":
		return otherwise, true
	case "true", "t", "1", "yes", "y", "on":
		return true, true
	case "false", "f", "0", "no", "n", "off":
		return false, true
	}
	return false, false
}

// readTime knows the forms of RFC 3339 and of database exports. Without a zone it is UTC.
func readTime(text string) (time.Time, bool) {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, true
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", time.DateTime + ".999999999", time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at, at.Year() > 1970
		}
	}
	return time.Time{}, false
}

// column is our name for a column; empty for one that is not taken.
func column(name string, ignore []string) (string, error) {
	name = strings.TrimSpace(name)
	if slices.Contains(ignore, name) {
		return "", nil
	}
	known := importColumn(name)
	if known == "" {
		return "", fmt.Errorf("column %q is not known: rename it to one of email, name, password_hash, is_active, is_superuser, is_verified, created_at, or leave it out with --ignore %s", name, name)
	}
	return known, nil
}

func csvRows(content []byte, ignore []string) ([]importRow, error) {
	in := csv.NewReader(bytes.NewReader(content))
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, errors.New("the file has no line with the names of the columns")
	}
	columns := make([]string, len(header))
	for i, name := range header {
		if columns[i], err = column(name, ignore); err != nil {
			return nil, err
		}
		if columns[i] != "" && slices.Contains(columns[:i], columns[i]) {
			return nil, fmt.Errorf("column %s is there twice", columns[i])
		}
	}
	if !slices.Contains(columns, "email") {
		return nil, errors.New("there is no column email")
	}
	var rows []importRow
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err // names the line
		}
		row := importRow{values: map[string]string{}}
		row.line, _ = in.FieldPos(0)
		for i, value := range record {
			if columns[i] != "" {
				row.values[columns[i]] = strings.Clone(value)
			}
		}
		rows = append(rows, row)
	}
}

// jsonRows reads a list of objects.
func jsonRows(content []byte, ignore []string) ([]importRow, error) {
	in := json.NewDecoder(bytes.NewReader(content))
	if first, err := in.Token(); err != nil || first != json.Delim('[') {
		return nil, errors.New("a JSON file holds a list of objects: [{\"email\": \"ada@example.com\"}, …]")
	}
	var rows []importRow
	for in.More() {
		var object map[string]any
		line := lineOf(content, in.InputOffset())
		if err := in.Decode(&object); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		row, err := jsonRow(object, ignore)
		if err != nil {
			return nil, err
		}
		row.line = line
		rows = append(rows, row)
	}
	if _, err := in.Token(); err != nil {
		return nil, errors.New("the list has no end: the file was cut off")
	}
	return rows, nil
}

// lineOf is where what comes behind the offset begins.
func lineOf(content []byte, offset int64) int {
	rest := content[offset:]
	begin := len(content) - len(bytes.TrimLeft(rest, " \t\r\n,"))
	return 1 + bytes.Count(content[:begin], []byte("\n"))
}

func jsonRow(object map[string]any, ignore []string) (importRow, error) {
	row := importRow{values: map[string]string{}}
	for name, value := range object {
		known, err := column(name, ignore)
		if err != nil {
			return row, err
		}
		text, ok := jsonText(value)
		if !ok {
			row.faults = append(row.faults, name+": write a text, true or false")
		}
		if known != "" {
			row.values[known] = text
		}
	}
	slices.Sort(row.faults)
	return row, nil
}

func jsonText(value any) (string, bool) {
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return value, true
	case bool:
		return fmt.Sprint(value), true
	}
	return "", false
}
