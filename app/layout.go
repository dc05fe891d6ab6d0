package app

import "strings"

// Layout translates a date format as pm2 takes it ("YYYY-MM-DD HH:mm:ss.SSS Z")
// into a layout for time.Format. Text in square brackets and what is not a known
// token stay as they are.
func Layout(format string) string {
	var out strings.Builder
	for len(format) > 0 {
		if end := strings.IndexByte(format, ']'); format[0] == '[' && end > 0 {
			out.WriteString(format[1:end])
			format = format[end+1:]
			continue
		}
		token, layout := dateToken(format)
		out.WriteString(layout)
		format = format[len(token):]
	}
	return out.String()
}

// dateTokens has longer tokens before those they begin with.
var dateTokens = [...][2]string{
	{"YYYY", "2006"}, {"YY", "06"}, {"MMMM", "January"}, {"MMM", "Jan"}, {"MM", "01"}, {"M", "1"},
	{"DDDD", "002"}, {"DD", "02"}, {"D", "2"}, {"dddd", "Monday"}, {"ddd", "Mon"},
	{"HH", "15"}, {"hh", "03"}, {"h", "3"}, {"mm", "04"}, {"m", "4"}, {"ss", "05"}, {"s", "5"},
	{".SSS", ".000"}, {",SSS", ",000"}, {"A", "PM"}, {"a", "pm"}, {"ZZ", "-0700"}, {"Z", "-07:00"},
}

func dateToken(s string) (token, layout string) {
	for _, t := range dateTokens {
		if strings.HasPrefix(s, t[0]) {
			return t[0], t[1]
		}
	}
	return s[:1], s[:1]
}
