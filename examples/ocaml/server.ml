(* A small web server in OCaml, native code, a thread for each connection, and a page of checks of the standard library.

   GET /hello     a line of text
   POST /sum      Adler-32 of the body
   GET /check     what the standard library does here, a line for each part
   GET /refused   what a machine of one process refuses *)

let ( / ) = Filename.concat

let check_threads () =
  let sum = ref 0 and lock = Mutex.create () in
  let work n () =
    for i = 0 to 999 do
      Mutex.lock lock;
      sum := !sum + (i * n);
      Mutex.unlock lock
    done
  in
  List.init 8 (fun n -> Thread.create (work n) ()) |> List.iter Thread.join;
  string_of_int !sum

let check_events () =
  let channel = Event.new_channel () in
  let sender = Thread.create (fun () -> for n = 1 to 100 do Event.sync (Event.send channel n) done) () in
  let sum = ref 0 in
  for _ = 1 to 100 do
    sum := !sum + Event.sync (Event.receive channel)
  done;
  Thread.join sender;
  string_of_int !sum

let check_condition () =
  let lock = Mutex.create () and changed = Condition.create () and turn = ref 0 in
  let order = Buffer.create 20 in
  let player mine () =
    for _ = 1 to 5 do
      Mutex.lock lock;
      while !turn mod 3 <> mine do Condition.wait changed lock done;
      Buffer.add_char order (Char.chr (97 + mine));
      incr turn;
      Condition.broadcast changed;
      Mutex.unlock lock
    done
  in
  List.init 3 (fun n -> Thread.create (player n) ()) |> List.iter Thread.join;
  Buffer.contents order

let check_deep () =
  let rec deep n = if n = 0 then 0 else 1 + deep (n - 1) in
  try string_of_int (deep max_int) with Stack_overflow -> "stack overflow, caught"

let check_garbage () =
  let kept = Array.make 100 "" in
  for n = 0 to 30000 do
    kept.(n mod 100) <- String.make 4096 'x'
  done;
  Gc.compact ();
  string_of_int (Array.fold_left (fun sum s -> sum + String.length s) 0 kept)

let check_files () =
  let dir = Filename.get_temp_dir_name () / "check-ocaml" in
  Unix.mkdir dir 0o700;
  let out = open_out (dir / "one") in
  for n = 1 to 1000 do Printf.fprintf out "line %d\n" n done;
  close_out out;
  Unix.symlink "one" (dir / "two");
  Sys.rename (dir / "one") (dir / "three");
  Unix.link (dir / "three") (dir / "one");
  let input = open_in (dir / "two") in
  let rec count n = match input_line input with _ -> count (n + 1) | exception End_of_file -> n in
  let lines = count 0 in
  close_in input;
  let names = Sys.readdir dir in
  Array.sort compare names;
  let links = (Unix.stat (dir / "three")).Unix.st_nlink in
  Array.iter (fun name -> Unix.unlink (dir / name)) names;
  Unix.rmdir dir;
  Printf.sprintf "%s %d %d %b" (String.concat "," (Array.to_list names)) lines links (Sys.file_exists dir)

let check_select () =
  let input, output = Unix.pipe () in
  let early, _, _ = Unix.select [ input ] [] [] 0.02 in
  ignore (Unix.write_substring output "text" 0 4);
  let late, _, _ = Unix.select [ input ] [] [] 5.0 in
  Unix.close input;
  Unix.close output;
  Printf.sprintf "%d %d" (List.length early) (List.length late)

let check_unix () =
  let a, b = Unix.socketpair Unix.PF_UNIX Unix.SOCK_STREAM 0 in
  let t = Thread.create (fun () -> ignore (Unix.write_substring b "from a socket" 0 13); Unix.close b) () in
  let buf = Bytes.create 100 in
  let n = Unix.read a buf 0 100 in
  Thread.join t;
  Unix.close a;
  Bytes.sub_string buf 0 n

let check_udp () =
  let a = Unix.socket Unix.PF_INET Unix.SOCK_DGRAM 0 and b = Unix.socket Unix.PF_INET Unix.SOCK_DGRAM 0 in
  Unix.bind a (Unix.ADDR_INET (Unix.inet_addr_loopback, 0));
  ignore (Unix.sendto_substring b "datagram" 0 8 [] (Unix.getsockname a));
  let buf = Bytes.create 100 in
  let n, _ = Unix.recvfrom a buf 0 100 [] in
  Unix.close a;
  Unix.close b;
  Bytes.sub_string buf 0 n

let check_resolve () =
  match Unix.getaddrinfo "localhost" "80" [ Unix.AI_FAMILY Unix.PF_INET; Unix.AI_SOCKTYPE Unix.SOCK_STREAM ] with
  | { Unix.ai_addr = Unix.ADDR_INET (address, port); _ } :: _ -> Printf.sprintf "%s %d" (Unix.string_of_inet_addr address) port
  | _ -> "nothing"

let check_signal () =
  let seen = ref false in
  let old = Sys.signal Sys.sigusr1 (Sys.Signal_handle (fun _ -> seen := true)) in
  Unix.kill (Unix.getpid ()) Sys.sigusr1;
  let rec wait n = if (not !seen) && n > 0 then (Thread.delay 0.01; wait (n - 1)) in
  wait 500;
  Sys.set_signal Sys.sigusr1 old;
  string_of_bool !seen

let checks =
  [ "condition", check_condition; "deep", check_deep; "events", check_events; "files", check_files; "garbage", check_garbage;
    "resolve", check_resolve; "select", check_select; "signal", check_signal; "threads", check_threads; "udp", check_udp; "unix", check_unix ]

let check_all () =
  let line (name, check) =
    name ^ ": " ^ (try check () with e -> "FAILED " ^ Printexc.to_string e) ^ "\n"
  in
  String.concat "" (List.map line checks)

let refused () =
  let attempt name f =
    try f (); name ^ ": done\n" with
    | Unix.Unix_error (e, _, _) -> Printf.sprintf "%s: %s\n" name (Unix.error_message e)
    | Failure why -> Printf.sprintf "%s: %s\n" name why
  in
  attempt "fork" (fun () -> if Unix.fork () = 0 then Unix._exit 0)
  ^ attempt "create_process" (fun () -> ignore (Unix.create_process "/bin/true" [| "true" |] Unix.stdin Unix.stdout Unix.stderr))

let adler32 input len =
  let a = ref 1 and b = ref 0 in
  for _ = 1 to len do
    a := (!a + Char.code (input_char input)) mod 65521;
    b := (!b + !a) mod 65521
  done;
  Printf.sprintf "%08x\n" ((!b lsl 16) lor !a)

(* The lines of a request's head; the length of its body. *)
let rec head input output len =
  match String.lowercase_ascii (String.trim (input_line input)) with
  | "" -> len
  | "expect: 100-continue" ->
      output_string output "HTTP/1.1 100 Continue\r\n\r\n";
      flush output;
      head input output len
  | line -> head input output (try Scanf.sscanf line "content-length: %d" Fun.id with Scanf.Scan_failure _ | Failure _ | End_of_file -> len)

let rec requests input output =
  let first = input_line input in
  let len = head input output 0 in
  let status, body =
    match String.split_on_char ' ' first with
    | _ :: "/hello" :: _ -> "200 OK", "hello from OCaml\n"
    | _ :: "/sum" :: _ -> "200 OK", adler32 input len
    | _ :: "/check" :: _ -> "200 OK", check_all ()
    | _ :: "/refused" :: _ -> "200 OK", refused ()
    | _ -> "404 Not Found", "nothing here\n"
  in
  Printf.fprintf output "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s%!" status (String.length body) body;
  requests input output

let connection fd =
  (try requests (Unix.in_channel_of_descr fd) (Unix.out_channel_of_descr fd) with End_of_file | Sys_error _ -> ());
  Unix.close fd

let () =
  let port = if Array.length Sys.argv > 1 then int_of_string Sys.argv.(1) else 8080 in
  let listener = Unix.socket Unix.PF_INET Unix.SOCK_STREAM 0 in
  Sys.set_signal Sys.sigpipe Sys.Signal_ignore;
  Sys.set_signal Sys.sigterm (Sys.Signal_handle (fun _ -> print_endline "stopped"; exit 0));
  Unix.setsockopt listener Unix.SO_REUSEADDR true;
  Unix.bind listener (Unix.ADDR_INET (Unix.inet_addr_any, port));
  Unix.listen listener 128;
  print_endline "ready";
  while true do
    match Unix.accept listener with
    | fd, _ ->
        Unix.setsockopt fd Unix.TCP_NODELAY true;
        ignore (Thread.create connection fd)
    | exception Unix.Unix_error (Unix.EINTR, _, _) -> ()
  done
