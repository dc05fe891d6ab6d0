package master
import ("testing";"os";"golang.org/x/sys/unix")
func TestDbg(t *testing.T){
 var l unix.Rlimit; unix.Getrlimit(7,&l)
 e,_:=os.Executable()
 lim, err := childFileLimit(e)
 t.Log(l, lim, err, RaiseFiles())
 unix.Getrlimit(7,&l); t.Log(l)
 tb := newTable(t, Options{})
 tb.files.original=&Rlimit{7,64,64}
 p, err := tb.Spawn(t.Context(), sh("k","ulimit -n"))
 t.Log(err); if err==nil {t.Log(firstLine(t,p))}
}
