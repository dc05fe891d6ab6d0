package app

import (
	"errors"
	"fmt"
)

// Code classifies an error across the socket.
type Code string

// The codes. They are stable: scripts and errors.Is rely on them.
const (
	CodeInvalid   Code = "invalid"   // the request makes no sense
	CodeNotFound  Code = "not_found" // the selector or file matches nothing
	CodeConflict  Code = "conflict"  // already exists, already running, already going on
	CodeForbidden Code = "forbidden" // not for this user
	CodeTimeout   Code = "timeout"   // did not happen in time
	CodeStuck     Code = "stuck"     // still alive after SIGKILL
	CodeStorage   Code = "storage"   // the disk or the database
	CodeInternal  Code = "internal"  // a bug, or the machine
)

// Sentinels for errors.Is: any *Error with the same code matches.
var (
	ErrInvalid   = &Error{Code: CodeInvalid}
	ErrNotFound  = &Error{Code: CodeNotFound}
	ErrConflict  = &Error{Code: CodeConflict}
	ErrForbidden = &Error{Code: CodeForbidden}
	ErrTimeout   = &Error{Code: CodeTimeout}
	ErrStuck     = &Error{Code: CodeStuck}
	ErrStorage   = &Error{Code: CodeStorage}
)

// Error is a failure that the user sees: a sentence "cannot … : why", and a hint
// what to do about it. It crosses the socket as it is.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	cause   error
}

// Errorf makes an Error; a %w operand becomes its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// WithHint returns a copy that carries a hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the %w operand given to Errorf.
func (e *Error) Unwrap() error { return e.cause }

// Is matches any *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Message == ""
}

// AsError returns err as an *Error: itself if it is one, else wrapped as internal.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Error() != err.Error() { // keep the outer words
			return &Error{Code: e.Code, Message: err.Error(), Hint: e.Hint, cause: err}
		}
		return e
	}
	return &Error{Code: CodeInternal, Message: err.Error(), cause: err}
}
