package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// printer writes numbered lines to both streams, one write a line, so that a
// lost, doubled or torn line can be told from its neighbours.
func printer(args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	lines, err := strconv.Atoi(args[0])
	if err != nil {
		return errUsage
	}
	rate, err := strconv.Atoi(args[1])
	if err != nil {
		return errUsage
	}
	wait := pace(rate)
	for n := 1; lines == 0 || n <= lines; n++ {
		if err := printLine(n); err != nil {
			return err
		}
		wait()
	}
	return nil
}

func printLine(n int) error {
	if _, err := io.WriteString(os.Stdout, fmt.Sprintf("out %d\n", n)); err != nil {
		return err
	}
	_, err := io.WriteString(os.Stderr, fmt.Sprintf("err %d\n", n))
	return err
}

// pace returns a function that returns rate times a second, many at a time where a timer for each would keep no rate; at
// once for 0.
func pace(rate int) func() {
	if rate <= 0 {
		return func() {}
	}
	each := max(1, rate/100)
	tick := time.NewTicker(time.Second * time.Duration(each) / time.Duration(rate))
	n := 0
	return func() {
		if n++; n%each == 0 {
			<-tick.C
		}
	}
}
