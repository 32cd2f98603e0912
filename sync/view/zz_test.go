package view_test
import ("github.com/rclone-datom/rclone-datom/sync/codec/fressian";"testing";"os";"github.com/rclone-datom/rclone-datom/sync/datom")
func TestZZ(t *testing.T){
 b,_:=tiered(t); v:=b.open(t,1448); f,_:=os.Create("/tmp/h1/our.1448"); m:=map[int64]int{}
 for _,d:=range scanned(t,v,datom.Query{}){f.WriteString(javaLine(t,v.Schema(),d)+"\n")}
 for _,d:=range scanned(t,v,datom.Query{Index:"avet"}){m[v.Schema().Attr(kwOf(d)).ID]++}
 t.Log(m)
 b,_=gens(t); v=b.open(t,1708); f,_=os.Create("/tmp/h1/our.1708")
 for _,d:=range scanned(t,v,datom.Query{}){f.WriteString(javaLine(t,v.Schema(),d)+"\n")}
}
func kwOf(d datom.Datom) fressian.Keyword { return d.A.(fressian.Keyword) }
