package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"time"
)

// serve answers every request with its pid and drains when asked to stop.
func serve([]string) error {
	l, err := listen()
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.HandlerFunc(answerPID), ReadHeaderTimeout: time.Minute}
	ctx, cancel := signal.NotifyContext(context.Background(), stopSignals...)
	defer cancel()
	drained := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drained <- srv.Shutdown(context.Background())
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}

// listenFD is the first socket that is given by sd_listen_fds(3).
const listenFD = 3

// listen takes the socket that it is given, or opens $PORT, and says which port that is.
func listen() (net.Listener, error) {
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		return net.FileListener(os.NewFile(listenFD, "socket"))
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", os.Getenv("PORT")))
	if err == nil {
		fmt.Println("listening", l.Addr().(*net.TCPAddr).Port)
	}
	return l, err
}

func answerPID(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, os.Getpid()) }
