import "reflect-metadata";
import { Controller, Get, Injectable, Module, Param } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";

@Injectable()
class Users {
  find(id: string): { id: string } {
    return { id };
  }
}

@Controller()
class Api {
  // Found by its type: the compiler has to write it down.
  constructor(private readonly users: Users) {}

  @Get("users/:id")
  user(@Param("id") id: string): { id: string } {
    return this.users.find(id);
  }

  @Get("fails")
  fails(): never {
    throw new Error("by design");
  }

  @Get("slow")
  slow(): Promise<string> {
    return new Promise((resolve) => setTimeout(() => resolve("slow"), 500));
  }
}

@Module({ controllers: [Api], providers: [Users] })
class App {}

export const makeApp = () => NestFactory.create(App, { logger: ["error"] });
