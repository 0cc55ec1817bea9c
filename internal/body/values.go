package body

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Optional is JSON for a request that may come without a body, which is then an empty object.
func Optional(r *http.Request, limit int64) (*Object, error) {
	data, err := readAll(r, limit)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return &Object{}, nil
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return JSON(r, limit)
}

// Given says whether the object has the member, be it null.
func (o *Object) Given(name string) bool {
	_, present := o.values[name]
	return present
}

// Texts returns a list of texts; ok is false when it is absent, null or at fault.
func (o *Object) Texts(name string) (texts []string, ok bool) {
	list, isList := o.values[name].([]any)
	if !isList {
		if o.values[name] != nil {
			o.add("list_type", "Input should be a valid list", echoField(name, o.values[name]), name)
		}
		return nil, false
	}
	texts = []string{}
	for _, v := range list {
		text, isText := v.(string)
		if !isText {
			o.add("string_type", "Input should be a list of strings", echoField(name, list), name)
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}

// Whole returns a whole number between least and most; ok is false when it is absent, null or at fault.
func (o *Object) Whole(name string, least, most int) (value int, ok bool) {
	given := o.values[name]
	if given == nil {
		return 0, false
	}
	digits, isNumber := given.(number)
	value, err := strconv.Atoi(string(digits))
	if !isNumber || err != nil || value < least || value > most {
		o.add("int_type", "Input should be a whole number between "+strconv.Itoa(least)+" and "+strconv.Itoa(most), echoField(name, given), name)
		return 0, false
	}
	return value, true
}

// Time returns a moment that is written with its time zone; ok is false when it is absent, null or at fault.
func (o *Object) Time(name string) (moment time.Time, ok bool) {
	given := o.values[name]
	if given == nil {
		return time.Time{}, false
	}
	text, _ := given.(string)
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		o.add("datetime_parsing", "Input should be a moment with its time zone, such as 2030-01-31T12:00:00Z", echoField(name, given), name)
		return time.Time{}, false
	}
	return moment, true
}
