package datomic_test
import ("testing";"bytes";"io";"sort";"github.com/klauspost/compress/gzip";"github.com/rclone-datom/rclone-datom/sync/codec/gunzip")
func big(b *testing.B) [][]byte {
	s,_:=leaves(b); var keys []string; for id:=range s { keys=append(keys,string(id)) }; sort.Strings(keys)
	var out [][]byte; var cur []byte
	flush:=func(){ var o bytes.Buffer; w,_:=gzip.NewWriterLevel(&o,6); w.Write(cur); w.Close(); out=append(out,bytes.Clone(o.Bytes())); cur=nil }
	for _,k:=range keys { for id,d:=range s { if string(id)==k { cur=append(cur,unpack(b,d)...) } }; if len(cur)>70000 {flush()} }
	flush(); n:=0; for _,o:=range out{n+=len(o)}; b.SetBytes(int64(n)); b.Log(len(out),n); return out
}
func BenchmarkBigOwn(b *testing.B){ x:=big(b); var d gunzip.Decoder; for b.Loop(){ for _,o:=range x { d.Decode(o,1<<28) } } }
func BenchmarkBigK(b *testing.B){ x:=big(b); r:=&gzip.Reader{}; out:=make([]byte,1<<20); for b.Loop(){ for _,o:=range x { r.Reset(bytes.NewReader(o)); io.ReadFull(r,out) } } }
