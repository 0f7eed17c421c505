{-# LANGUAGE OverloadedStrings, ScopedTypeVariables #-}
-- A small web server in Haskell, a thread of the runtime for each connection, and a page of checks.
--
-- GET /hello     a line of text
-- POST /sum      Adler-32 of the body
-- GET /check     what the libraries do here, a line for each part
-- GET /refused   what a machine of one process refuses
module Main (main) where

import Control.Concurrent
import Control.Concurrent.STM
import Control.Exception
import Control.Monad
import Data.Bits (shiftL, (.|.))
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import Data.Char (toLower)
import Data.IORef
import Data.List (isPrefixOf, sort, foldl')
import Network.Socket
import Network.Socket.ByteString (recv, recvFrom, sendAll, sendAllTo)
import System.Directory
import System.Environment (getArgs)
import System.IO
import System.Mem (performGC)
import System.Posix.Signals
import System.Process (readProcess)
import System.Timeout (timeout)
import Text.Printf (printf)
import Text.Read (readMaybe)

checkThreads :: IO String
checkThreads = do
  total <- newMVar (0 :: Int)
  done <- forM [0 .. 99] $ \n -> do
    end <- newEmptyMVar
    _ <- forkFinally (forM_ [0 .. 99] $ \i -> modifyMVar_ total (return . (+ n * i))) (\_ -> putMVar end ())
    return end
  mapM_ takeMVar done
  show <$> readMVar total

checkStm :: IO String
checkStm = do
  account <- newTVarIO (0 :: Int)
  forM_ [1 .. 20] $ \n -> forkIO (atomically (modifyTVar' account (+ n)))
  atomically $ readTVar account >>= \sum' -> check (sum' == 210)
  return "210"

checkTimeout :: IO String
checkTimeout = do
  late <- timeout 20000 (threadDelay 10000000)
  inTime <- timeout 10000000 (threadDelay 1000 >> return 'x')
  return (show (late, inTime))

-- Blocked for ever: the collector finds out.
checkDeadlock :: IO String
checkDeadlock = do
  answer <- newEmptyMVar
  _ <- forkIO $ do
    never <- newEmptyMVar :: IO (MVar ())
    r <- try (takeMVar never)
    putMVar answer (either (\(e :: BlockedIndefinitelyOnMVar) -> show e) show r)
  forM_ [1 .. 3 :: Int] $ \_ -> performGC >> threadDelay 1000
  takeMVar answer

checkExceptions :: IO String
checkExceptions = do
  a <- try (evaluate (1 `div` (0 :: Int)))
  b <- try (readFile "/no/such")
  return (either (\(e :: ArithException) -> show e) show a ++ "; " ++ either (\(e :: IOException) -> show e) id b)

checkLazy :: IO String
checkLazy = return (show (takeWhile (< 60) primes, foldl' (+) 0 [1 .. 300000 :: Integer]))
  where primes = sieve [2 :: Int ..]
        sieve (p : rest) = p : sieve [n | n <- rest, n `mod` p /= 0]
        sieve [] = []

checkFiles :: IO String
checkFiles = do
  dir <- (++ "/check-hs") <$> getTemporaryDirectory
  createDirectoryIfMissing True (dir ++ "/a/b")
  writeFile (dir ++ "/a/one") (unlines (map show [1 .. 1000 :: Int]))
  createFileLink "one" (dir ++ "/a/two")
  copyFile (dir ++ "/a/two") (dir ++ "/a/three")
  names <- sort <$> listDirectory (dir ++ "/a")
  count <- length . lines <$> readFile (dir ++ "/a/three")
  removeDirectoryRecursive dir
  left <- doesDirectoryExist dir
  return (show (names, count, left))

checkUdp :: IO String
checkUdp = bracket (socket AF_INET Datagram 0) close $ \a -> bracket (socket AF_INET Datagram 0) close $ \b -> do
  bind a (SockAddrInet 0 (tupleToHostAddress (127, 0, 0, 1)))
  address <- getSocketName a
  sendAllTo b "datagram" address
  C.unpack . fst <$> recvFrom a 100

checkUnix :: IO String
checkUnix = do
  (a, b) <- socketPair AF_UNIX Stream 0
  _ <- forkIO (sendAll b "from a socket" >> close b)
  text <- recv a 100
  close a
  return (C.unpack text)

checkResolve :: IO String
checkResolve = do
  found <- getAddrInfo (Just defaultHints { addrFamily = AF_INET, addrSocketType = Stream }) (Just "localhost") (Just "80")
  return (show (map addrAddress found))

checkSignal :: IO String
checkSignal = do
  seen <- newEmptyMVar
  old <- installHandler sigUSR1 (Catch (putMVar seen ())) Nothing
  raiseSignal sigUSR1
  answer <- timeout 10000000 (takeMVar seen)
  _ <- installHandler sigUSR1 old Nothing
  return (show answer)

checkAll :: IO String
checkAll = concat <$> mapM line
  [ ("deadlock", checkDeadlock), ("exceptions", checkExceptions), ("files", checkFiles), ("lazy", checkLazy), ("resolve", checkResolve)
  , ("signal", checkSignal), ("stm", checkStm), ("threads", checkThreads), ("timeout", checkTimeout), ("udp", checkUdp), ("unix", checkUnix) ]
  where line (name, part) = do
          answer <- try part
          return (name ++ ": " ++ either (\(e :: SomeException) -> "FAILED " ++ show e) id answer ++ "\n")

refused :: IO String
refused = do
  answer <- try (readProcess "/bin/true" [] "")
  return ("process: " ++ either (\(e :: IOException) -> show e) (const "done") answer ++ "\n")

adler32 :: B.ByteString -> String
adler32 text = printf "%08x\n" (b `shiftL` 16 .|. a)
  where (a, b) = B.foldl' step (1 :: Int, 0 :: Int) text
        step (x, y) byte = let x' = (x + fromIntegral byte) `mod` 65521; y' = (y + x') `mod` 65521 in x' `seq` y' `seq` (x', y')

-- The bytes that came before they were asked for.
type Held = IORef B.ByteString

fill :: Socket -> Held -> IO Bool
fill s held = do
  piece <- recv s 65536
  modifyIORef' held (`B.append` piece)
  return (not (B.null piece))

readLine :: Socket -> Held -> IO (Maybe String)
readLine s held = do
  (line, rest) <- B.breakSubstring "\r\n" <$> readIORef held
  if not (B.null rest)
    then writeIORef held (B.drop 2 rest) >> return (Just (C.unpack line))
    else fill s held >>= \more -> if more then readLine s held else return Nothing

readBody :: Socket -> Held -> Int -> IO B.ByteString
readBody s held len = do
  first <- readIORef held
  go [first] (B.length first)
  where
    go pieces have
      | have >= len = do
          let (body, rest) = B.splitAt len (B.concat (reverse pieces))
          writeIORef held rest
          return body
      | otherwise = do
          piece <- recv s 65536
          when (B.null piece) $ throwIO (userError "the body ended early")
          go (piece : pieces) (have + B.length piece)

readHead :: Socket -> Held -> Int -> IO (Maybe Int)
readHead s held len = do
  line <- fmap (map toLower) <$> readLine s held
  case line of
    Nothing -> return Nothing
    Just "" -> return (Just len)
    Just "expect: 100-continue" -> sendAll s "HTTP/1.1 100 Continue\r\n\r\n" >> readHead s held len
    Just text | "content-length:" `isPrefixOf` text -> readHead s held (maybe len id (readMaybe (drop 15 text)))
    Just _ -> readHead s held len

requests :: Socket -> Held -> IO ()
requests s held = do
  first <- readLine s held
  len <- readHead s held 0
  case (fmap words first, len) of
    (Just (_ : path : _), Just n) -> do
      (status, body) <- page path n
      sendAll s (C.pack ("HTTP/1.1 " ++ status ++ "\r\nContent-Length: " ++ show (length body) ++ "\r\n\r\n" ++ body))
      requests s held
    _ -> return ()
  where
    page "/hello" _ = return ("200 OK", "hello from Haskell\n")
    page "/sum" n = (,) "200 OK" . adler32 <$> readBody s held n
    page "/check" _ = (,) "200 OK" <$> checkAll
    page "/refused" _ = (,) "200 OK" <$> refused
    page _ _ = return ("404 Not Found", "nothing here\n") :: IO (String, String)

main :: IO ()
main = do
  args <- getArgs
  let port = case args of { (text : _) | Just n <- readMaybe text -> n; _ -> 8080 :: Int }
  hSetBuffering stdout LineBuffering
  listener <- socket AF_INET Stream 0
  setSocketOption listener ReuseAddr 1
  bind listener (SockAddrInet (fromIntegral port) 0)
  listen listener 128
  done <- newEmptyMVar
  _ <- installHandler sigTERM (Catch (putMVar done ())) Nothing
  _ <- forkIO $ forever $ do
    (s, _) <- accept listener
    setSocketOption s NoDelay 1
    held <- newIORef B.empty
    forkFinally (requests s held) (\_ -> close s)
  putStrLn "ready"
  takeMVar done
  putStrLn "stopped"
