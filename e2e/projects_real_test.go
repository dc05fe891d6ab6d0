//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
)

// The builds of make projects. They take minutes and hundreds of megabytes, which make test does not have.

func buildNext(dir string) {
	write(dir, "package.json", `{"private": true, "dependencies": {"next": "15", "react": "19", "react-dom": "19"}}`)
	write(dir, "next.config.js", `module.exports = { output: "standalone", outputFileTracingRoot: __dirname }`)
	write(dir, "app/layout.js", `export default function Layout({ children }) { return <html><body>{children}</body></html> }`)
	write(dir, "app/page.js", `export default function Page() { return <h1>shop</h1> }`)
	run(dir, "npm", "install", "--no-audit", "--no-fund")
	run(dir, "npx", "next", "build")
}

func buildNest(dir string) {
	write(dir, "package.json", `{"private": true, "dependencies": {"@nestjs/common": "11", "@nestjs/core": "11", "@nestjs/platform-express": "11", "reflect-metadata": "0.2", "rxjs": "7"}, "devDependencies": {"typescript": "5", "@types/node": "20"}}`)
	write(dir, "tsconfig.json", `{"compilerOptions": {"module": "commonjs", "target": "es2022", "experimentalDecorators": true, "emitDecoratorMetadata": true, "outDir": "dist", "rootDir": ".", "skipLibCheck": true}, "include": ["apps"]}`)
	write(dir, "apps/api/main.ts", `import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
@Controller() class Root { @Get() read() { return { env: process.env.NODE_ENV, levels: JSON.parse(process.env.LOG_LEVELS!) } } }
@Module({ controllers: [Root] }) class App {}
NestFactory.create(App).then((app) => app.listen(process.env.PORT ?? 3000, "127.0.0.1")).then(() => process.send!("ready"));
`)
	write(dir, "apps/mailer/main.ts", `import "reflect-metadata";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
@Module({}) class Mailer {}
NestFactory.createApplicationContext(Mailer).then((app) => { app.enableShutdownHooks(); console.log("mailer consumes"); setInterval(() => {}, 1000) });
`)
	run(dir, "npm", "install", "--no-audit", "--no-fund")
	run(dir, "npx", "tsc")
}

func buildFleet(dir string) {
	write(dir, "fleet/__init__.py", "import os\nfrom celery import Celery\n\napp = Celery('fleet', broker='memory://')\nprint('number', os.environ.get('WORKER_NUMBER', '-'), flush=True)\n")
	write(dir, "fleet/wsgi.py", `import os

RELEASE = "one"


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    seen = [name for name in os.environ if "AWS_" in name or "SECRET" in name]
    return [f"{RELEASE} {os.environ['DJANGO_SETTINGS_MODULE']} {os.environ['WEB_CONCURRENCY']} {seen}".encode()]
`)
	run(dir, "python3", "-m", "venv", "venv")
	run(dir, "venv/bin/pip", "install", "--quiet", "gunicorn", "celery")
}

// write and run panic: a build that fails is the end of its test, and says so.
func write(dir, name, text string) {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		panic(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		panic(err)
	}
}

func run(dir, name string, args ...string) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "NEXT_TELEMETRY_DISABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		panic(string(out))
	}
}
