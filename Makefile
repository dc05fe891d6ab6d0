# demo and build need Go alone. check and test install node, python3 and a C
# compiler (race detector) from Debian where they are missing; bench needs npm, and wrk for clusters.

.PHONY: demo build test logs-proof check fmt vet lint deadcode licences race fuzz chaos vm bench arm64 windows projects deps clean

# A clone that belongs to somebody else makes git fail, and stamping with it.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 freebsd/amd64
# A number of inputs, not a time: the go command may report its own deadline as a failure.
FUZZTIME  ?= 5000x
# The linters' hundreds of dependencies stay out of gpm's own go.mod.
TOOL      := go tool -modfile=tools/go.mod

demo: build
	@sh testprog/demo.sh bin/gpm

# gpm carries its JavaScript engine as a packed program of its own: linked, it would cost every command milliseconds
# and the daemon megabytes. The overlay has it embedded without a file in the source tree.
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags='-s -w'

build:
	$(GOBUILD) -o bin/gpm-engine ./cmd/gpm-engine
	gzip -9nf bin/gpm-engine
	@echo '{"Replace": {"$(CURDIR)/cmd/gpm/engine.gz": "$(CURDIR)/bin/gpm-engine.gz"}}' >bin/overlay.json
	$(GOBUILD) -tags packed -overlay bin/overlay.json -o bin/gpm ./cmd/gpm

test: deps
	go test -count=1 -timeout=15m ./...

# The long forms of what test shows about logs: 10 million lines, 50 kills, a minute of 100 apps, a line of 1 GB.
logs-proof: deps
	GPM_LOGS_PROOF=1 go test -count=1 -v -timeout=60m -run='$(LOGS_PROOF)' ./e2e

LOGS_PROOF := TestRotationUnderKill|TestLogsOutliveTheDaemon|TestLastLines|TestManyPrinters|TestFullLogDisk|TestLogDirectoryRemoved|TestEndlessLine|TestSlowLogReader

check: fmt vet lint deadcode licences race

fmt:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not gofmt-ed:"; echo "$$files"; exit 1; fi

vet:
	@for p in $(PLATFORMS); do \
		echo "go vet for $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 go vet ./... || exit 1; \
	done
	go -C tools vet ./...

lint:
	$(TOOL) golangci-lint run ./...
	cd tools && go tool golangci-lint run -c ../.golangci.yml ./...

deadcode:
	@echo "deadcode -test ./..."; out=$$($(TOOL) deadcode -test ./...) || exit 1; \
	if [ -n "$$out" ]; then echo "$$out"; exit 1; fi

licences:
	go -C tools test ./...
	go -C tools run ./licences ..

# Programs built with the race detector sleep for a second at their end unless told not to, and the scripts run hundreds.
race: deps
	GORACE=atexit_sleep_ms=0 go test -race -timeout=15m ./...

fuzz:
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$$file"); do \
			echo "$$f in $${file%/*}"; \
			go test -run='^$$' -fuzz="^$$f\$$" -fuzztime=$(FUZZTIME) "$${file%/*}" </dev/null || exit 1; \
		done; \
	done

# What make test does in short: everything that can happen, at random, for ten minutes; then the proofs of clusters
# in full, twenty of everything under load.
chaos: deps
	GPM_CHAOS_TIME=10m go test -count=1 -timeout=30m -v -run '^TestChaos$$' ./e2e
	GPM_CHAOS=1 go test -count=1 -timeout=30m -v -run '^TestCluster(Reload|BrokenVersion|WorkersKilled|DaemonKilled)$$' ./e2e | grep -v '^=== '

# The service under systemd in an emulated machine of its own, with every controller of cgroup v2: limits, the clock, a reboot.
# Needs root on Debian for its image, 2 GB and some minutes.
vm:
	@.ci/vm

bench:
	go run ./bench $(BENCH)

# Other platforms, emulated: not part of test, for they install hundreds of megabytes.
arm64:
	@.ci/arm64

windows:
	@.ci/windows

# The projects of the tests with their frameworks themselves: Next.js, NestJS, gunicorn and Celery. Needs npm and python3 with
# venv, some hundred megabytes and minutes.
projects:
	GPM_REAL_PROJECTS=1 go test -count=1 -timeout=30m -v -run 'TestNextStandalone|TestNestMonorepo|TestPythonFleet' ./e2e

deps:
	@.ci/deps

clean:
	rm -rf bin
