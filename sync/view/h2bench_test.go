package view_test
import ("testing";"time";"fmt";"github.com/rclone-datom/rclone-datom/fstest/sample";"github.com/rclone-datom/rclone-datom/sync/datom")
func TestH2Bench(t *testing.T){
 s,_:=made(t, sample.Options{Seed:7,Entities:40000},3,2000); v:=s.branches(t)[":db"]
 for _,q:=range []datom.Query{{},{},{History:true},{AsOf:v.Info().MaxTx-1}} { n:=0; t0:=time.Now(); v.Scan(t.Context(),q,func(datom.Datom) error{n++;return nil}); d:=time.Since(t0); fmt.Println(q,n,d,float64(n)/d.Seconds()) }
}
