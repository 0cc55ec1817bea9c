package body_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

func post(contentType, content string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(content))
	r.Header.Del("Content-Type")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// answer is the status and the JSON that err would be answered with; 0 and nothing without an error.
func answer(t *testing.T, err error) (int, any) {
	t.Helper()
	if err == nil {
		return 0, nil
	}
	w := httptest.NewRecorder()
	problem.Write(w, err)
	return w.Code, decoded(t, w.Body.String())
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	if text == "" {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return stripped(v)
}

// stripped drops the texts, which are free.
func stripped(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = stripped(v[name])
			if name == "msg" || name == "error" {
				v[name] = "…"
			}
		}
	case []any:
		for i := range v {
			v[i] = stripped(v[i])
		}
	}
	return v
}

// ask reads an object as a registration would.
func ask(r *http.Request) error {
	o, err := body.JSON(r, 1000)
	if err != nil {
		return err
	}
	o.String("email", true)
	o.String("password", true)
	o.Flag("is_active")
	o.String("name", false)
	return o.Err()
}

func TestJSONBodiesAnswerAsFastAPIDoes(t *testing.T) {
	t.Parallel()
	const j = "application/json"
	cases := []struct {
		name, contentType, content string
		status                     int
		want                       string
	}{
		{"a good object", j, `{"email":"a","password":"b"}`, 0, ``},
		{"a content type in capitals with a parameter", "Application/JSON; charset=utf-8", `{"email":"a","password":"b"}`, 0, ``},
		{"a +json content type", "application/vnd.x+json", `{"email":"a","password":"b"}`, 0, ``},
		{"blanks around", j, " \r\n\t{\"email\":\"a\",\"password\":\"b\"} \n", 0, ``},
		{"a byte order mark", j, "\ufeff" + `{"email":"a","password":"b"}`, 0, ``},
		{"unknown keys, NaN among them", j, `{"email":"a","password":"b","id":NaN,"x":[-Infinity,{"y":1e5}]}`, 0, ``},
		{"an optional null", j, `{"email":"a","password":"b","name":null,"is_active":null}`, 0, ``},
		{"the last of equal keys counts", j, `{"email":1,"password":"b","email":"a"}`, 0, ``},

		{"keys in other letters", j, `{"Email":"a","password":"b"}`, 422,
			`{"detail":[{"type":"missing","loc":["body","email"],"msg":"…","input":{"Email":"a","password":null}}]}`},
		{"absent fields", j, `{}`, 422,
			`{"detail":[{"type":"missing","loc":["body","email"],"msg":"…","input":{}},{"type":"missing","loc":["body","password"],"msg":"…","input":{}}]}`},
		{"all faults in the declared order", j, `{"name":1,"is_active":"maybe","password":["x"],"email":{"a":true}}`, 422,
			`{"detail":[
				{"type":"string_type","loc":["body","email"],"msg":"…","input":{"a":true}},
				{"type":"string_type","loc":["body","password"],"msg":"…","input":null},
				{"type":"bool_parsing","loc":["body","is_active"],"msg":"…","input":"maybe"},
				{"type":"string_type","loc":["body","name"],"msg":"…","input":1}]}`},
		{"null for a required text", j, `{"email":null,"password":"b"}`, 422,
			`{"detail":[{"type":"string_type","loc":["body","email"],"msg":"…","input":null}]}`},
		{"NaN in a field", j, `{"email":NaN,"password":"b"}`, 422,
			`{"detail":[{"type":"string_type","loc":["body","email"],"msg":"…","input":null}]}`},
		{"an unpaired surrogate", j, `{"email":"a","password":"x\ud800y"}`, 422,
			`{"detail":[{"type":"string_unicode","loc":["body","password"],"msg":"…","input":null}]}`},
		{"a flag that is a number but 0 or 1", j, `{"email":"a","password":"b","is_active":2}`, 422,
			`{"detail":[{"type":"bool_parsing","loc":["body","is_active"],"msg":"…","input":2}]}`},
		{"a flag that is a fraction", j, `{"email":"a","password":"b","is_active":1.5}`, 422,
			`{"detail":[{"type":"bool_type","loc":["body","is_active"],"msg":"…","input":1.5}]}`},
		{"a flag that is a list", j, `{"email":"a","password":"b","is_active":[]}`, 422,
			`{"detail":[{"type":"bool_type","loc":["body","is_active"],"msg":"…","input":[]}]}`},
		{"a flag that is NaN", j, `{"email":"a","password":"b","is_active":NaN}`, 422,
			`{"detail":[{"type":"bool_parsing","loc":["body","is_active"],"msg":"…","input":null}]}`},

		{"no body", "", ``, 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"…","input":null}]}`},
		{"an empty JSON body", j, ``, 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"…","input":null}]}`},
		{"null", j, `null`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":null}]}`},
		{"a list", j, `[1,{"password":"b"}]`, 422,
			`{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":[1,{"password":null}]}]}`},
		{"a text", j, `"x"`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":"x"}]}`},
		{"a number", j, `-1.5e3`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":-1500}]}`},
		{"no content type", "", `{"email":"a"}`, 422,
			`{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":"{\"email\":\"a\"}"}]}`},
		{"text/json", "text/json", `{}`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":"{}"}]}`},
		{"application/jsonx", "application/jsonx", `{}`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":"{}"}]}`},
		{"a form that holds a password", "application/x-www-form-urlencoded", `password=b`, 422,
			`{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":null}]}`},

		{"a cut off object", j, `{"email":"a"`, 422, `{"detail":[{"type":"json_invalid","loc":["body",12],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"only blanks", j, `  `, 422, `{"detail":[{"type":"json_invalid","loc":["body",2],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"something behind the object", j, `{} x`, 422, `{"detail":[{"type":"json_invalid","loc":["body",3],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"a leading zero", j, `01`, 422, `{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"a bare minus", j, `-`, 422, `{"detail":[{"type":"json_invalid","loc":["body",0],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"a text without end", j, `{"a":"b\`, 422, `{"detail":[{"type":"json_invalid","loc":["body",5],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"an unknown escape", j, `"\x"`, 422, `{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"a bare line break in a text", j, "\"a\nb\"", 422, `{"detail":[{"type":"json_invalid","loc":["body",2],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"a trailing comma", j, `{"a":1,}`, 422, `{"detail":[{"type":"json_invalid","loc":["body",7],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"single quotes", j, `{'a':1}`, 422, `{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"no UTF-8", j, "{\"email\":\"\xff\"}", 400, `{"detail":"There was an error parsing the body"}`},
		{"absurd nesting", j, strings.Repeat("[", 950), 400, `{"detail":"There was an error parsing the body"}`},
		{"too long", j, `"` + strings.Repeat("a", 1000) + `"`, 413, `{"detail":"The request body is longer than 1000 bytes. Send less."}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, got := answer(t, ask(post(c.contentType, c.content)))
			if diff := cmp.Diff(decoded(t, c.want), got); status != c.status || diff != "" {
				t.Errorf("status %d, want %d; -want +got:\n%s", status, c.status, diff)
			}
		})
	}
}

func TestTextsAreReadWithTheirEscapes(t *testing.T) {
	t.Parallel()
	o, err := body.JSON(post("application/json", `{"a":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00é\u0000"}`), 1000)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := o.String("a", true); !ok || got != "\"\\/\b\f\n\r\tä😀é\x00" {
		t.Errorf("got %q, %v", got, ok)
	}
}

func TestFlagsAreReadLaxly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`true`: true, `1`: true, `1.0`: true, `1e0`: true, `"YES"`: true, `"on"`: true, `"t"`: true, `"y"`: true, `"1"`: true, `"True"`: true,
		`false`: false, `0`: false, `0.0`: false, `"no"`: false, `"OFF"`: false, `"f"`: false, `"n"`: false, `"0"`: false,
	} {
		o, err := body.JSON(post("application/json", `{"flag":`+text+`}`), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := o.Flag("flag"); !ok || got != want || o.Err() != nil {
			t.Errorf("%s: got %v, %v, %v", text, got, ok, o.Err())
		}
	}
}

func FuzzJSONAgreesWithTheStandardLibrary(f *testing.F) {
	for _, seed := range []string{`{"a":"b"}`, `[1,-2.5e+7,null]`, `"\ud83d\ude00"`, `{"a":{"a":[]},"a":true}`, `01`, `{`, "\"\x01\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := body.JSON(post("application/json", text), 1<<20)
		if json.Valid([]byte(text)) && err != nil && problem.Of(err).Status == http.StatusUnprocessableEntity {
			t.Errorf("%q is JSON, but: %v", text, err)
		}
		if o != nil {
			o.String("a", true)
			status, _ := answer(t, o.Err())
			if status >= 500 {
				t.Errorf("%q answers %d", text, status)
			}
		}
	})
}
